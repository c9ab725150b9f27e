"""Numbers and months in Urdu, in Urdu script and in Latin letters, for ``numbers`` and ``phrases``.

Urdu has a separate word for every number up to 99. Speakers often say the English digits instead, which
recognisers then write in Urdu script. ``/`` separates the spellings of a number.
"""

NUMBERS = """
صفر/زیرو/sifr/sifar ایک/ون/aik/ek دو/ٹو/do تین/تھری/teen/tin چار/فور/char/chaar
پانچ/فائیو/panch/paanch چھ/چھے/سکس/chay/chhay/che سات/سیون/saat/sat آٹھ/ایٹ/aath/ath نو/نائن/nau/no
دس/das/dus گیارہ/gyarah/gyara/giyara بارہ/barah/bara تیرہ/terah چودہ/chaudah/chodah
پندرہ/pandrah/pandra سولہ/solah/sola سترہ/satrah/satra اٹھارہ/atharah/athara انیس/unnis/unees
بیس/bees اکیس/ikkis/ikees بائیس/bais/baees تئیس/teis/teyees چوبیس/chaubis/chobees
پچیس/pachees/pachis چھبیس/chabbis/chhabbis ستائیس/sattais/satais اٹھائیس/athais/atthais انتیس/untees
تیس/tees اکتیس/ikattis/iktees بتیس/battis/batees تینتیس/taintis/tentees چونتیس/chauntis/chontees
پینتیس/paintis/pentees چھتیس/chattis/chhattis سینتیس/saintis/sentees اڑتیس/artees انتالیس/untalis/untalees
چالیس/chalis/chalees اکتالیس/iktalis/iktalees بیالیس/bayalis/bialis تینتالیس/taintalis/tentalis
چوالیس/chawalis پینتالیس/paintalis/pentalis چھیالیس/chiyalis/chialis سینتالیس/saintalis/sentalis
اڑتالیس/artalis/artalees انچاس/unchas
پچاس/pachas/pachaas اکیاون/ikyawan/ikawan باون/bawan ترپن/tirpan/tarpan چون/chawwan/chauwan
پچپن/pachpan چھپن/chappan/chhappan ستاون/satawan/sattawan اٹھاون/athawan/atthawan انسٹھ/unsath
ساٹھ/saath اکسٹھ/iksath باسٹھ/basath تریسٹھ/tresath/tirsath چونسٹھ/chaunsath/chonsath
پینسٹھ/painsath/pensath چھیاسٹھ/chiyasath سڑسٹھ/sarsath اڑسٹھ/arsath انہتر/unhattar
ستر/sattar اکہتر/ikhattar بہتر/bahattar تہتر/tihattar چوہتر/chauhattar/chohattar
پچہتر/pachattar/pichattar چھہتر/chihattar ستتر/satattar اٹھہتر/athattar اناسی/unasi
اسی/assi اکیاسی/ikyasi بیاسی/bayasi تراسی/tirasi چوراسی/chaurasi/chorasi
پچاسی/pachasi چھیاسی/chiyasi ستاسی/satasi اٹھاسی/athasi نواسی/nawasi
نوے/nabbe/nawway اکانوے/ikyanwe بانوے/banwe ترانوے/tiranwe چورانوے/chauranwe
پچانوے/pachanwe چھیانوے/chiyanwe ستانوے/satanwe اٹھانوے/athanwe ننانوے/ninanwe
"""
HUNDRED = "sau so سو"
REPEATS = {"ڈبل": 2, "ٹرپل": 3}
HARMLESS = "آرڈر|ٹکٹ|شکایت|حوالہ|بل|قیمت|رقم|raqam|qeemat|shikayat"
UNITS_AFTER = (
    "روپے|روپیہ|دن|بجے|منٹ|گھنٹے|مہینے|سال|بار|ہزار|لاکھ|"
    r"rup[ai]y\w*|din|baje|mahine|saal|ghante|baar|hazaar|lakh"
)
MONTHS = (
    "جنوری|فروری|مارچ|اپریل|مئی|جون|جولائی|اگست|ستمبر|اکتوبر|نومبر|دسمبر|"
    "janwari|farwari|julai|agast|sitambar|navambar|disambar"
)
