"""Number words and cue words of languages other than English and Urdu, one table for each, as data.

Letters are written without accents, which match either way. In ``numbers`` words stand from zero on, in
``tens`` and ``hundreds`` after their value; ``/`` separates the spellings of a number, ``_`` joins words.
``shape`` says how they make a number, whose value is their sum: {n} is a number of ``numbers``, {d} one of 1
to 9, {t} a ten, {h} a hundred; a space is any space or hyphen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from pipeline.privacy import urdu

ACCENTED = {"a": "aáàâãä", "c": "cç", "e": "eéèêë", "i": "iíî", "n": "nñ", "o": "oóôõö", "u": "uúùûü"}
BEFORE, AFTER = r"(?<![\w\u0900-\u0963])", r"(?![\w\u0900-\u0963])"
"""Bounds of a word, also in Devanagari, whose vowel signs are no letters to regular expressions."""

NUKTA = "\u093c"
"""The dot of ज़ and फ़, which many leave out."""


class Table(NamedTuple):
    """What is known of a language; ``cues`` by the kinds of ``cues.CUES``, the rest words or patterns."""

    numbers: str
    tens: str
    hundreds: str
    shape: str
    between: str
    corrections: str
    months: str
    units: str
    cues: dict[str, str]


_DEVANAGARI = """
शून्य/ज़ीरो/जीरो एक/वन दो/टू तीन/थ्री चार/फोर पाँच/पांच/फाइव छह/छः/छे/छ/सिक्स सात/सेवन आठ/एट
नौ/नाइन दस ग्यारह बारह तेरह चौदह
पंद्रह/पन्द्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस/बाइस तेईस/तेइस चौबीस पच्चीस छब्बीस
सत्ताईस/सत्ताइस अट्ठाईस/अठाईस उनतीस
तीस इकतीस/इकत्तीस बत्तीस तैंतीस/तेंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस/उनचालीस
चालीस इकतालीस बयालीस/बयालिस तैंतालीस/तैतालीस चौवालीस/चवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास
पचास इक्यावन बावन तिरपन/तिरेपन चौवन पचपन छप्पन सत्तावन अट्ठावन/अठावन उनसठ
साठ इकसठ बासठ तिरसठ/तिरेसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर
सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी/उनासी
अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी/अठासी नवासी
नब्बे इक्यानवे/इक्यानबे बानवे/बानबे तिरानवे/तिरानबे चौरानवे/चौरानबे पचानवे/पंचानवे/पंचानबे
छियानवे/छियानबे सत्तानवे/सत्तानबे अट्ठानवे/अट्ठानबे निन्यानवे/निन्यानबे
"""
_IN_BOTH_SCRIPTS = " ".join(
    f"{hindi}/{'/'.join(word for word in roman.split('/') if word.isascii())}"
    for hindi, roman in zip(_DEVANAGARI.split(), urdu.NUMBERS.split(), strict=True)
)

TABLES = {
    "es": Table(
        numbers=(
            "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
            "quince dieciseis "
            "diecisiete dieciocho diecinueve veinte veintiuno/veintiun veintidos veintitres veinticuatro "
            "veinticinco veintiseis veintisiete veintiocho veintinueve"
        ),
        tens="30=treinta 40=cuarenta 50=cincuenta 60=sesenta 70=setenta 80=ochenta 90=noventa",
        hundreds=(
            "100=cien/ciento 200=doscientos 300=trescientos 400=cuatrocientos 500=quinientos "
            "600=seiscientos "
            "700=setecientos 800=ochocientos 900=novecientos 2000=dos_mil"
        ),
        shape="{h}(?: {t}(?: y {d})?| {n})?|{t}(?: y {d})?|{n}",
        between="y luego despues entonces es guion barra si vale la el",
        corrections="no perdon perdona disculpe corrijo mejor_dicho",
        months=(
            "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre "
            "noviembre diciembre"
        ),
        units="pesos? dias? horas? minutos? meses anos? semanas? veces por_ciento mil euros?",
        cues={
            "cvv": (
                r"codigo de seguridad|(?:codigo|numero) de verificacion|"
                r"(?:tres|3) (?:ultimos )?(?:numeros|digitos|cifras)|(?:de|por) detras|reverso|dorso"
            ),
            "expiry": r"caduc\w*|vencimiento|vence",
            "pin": r"claves?|contrasena|numero secreto|codigo (?:secreto|de acceso|que (?:le|te|me) \w+)",
            "account": r"cuenta|clabe",
            "national_id": r"dni|pasaporte|cedula|curp|documento de identidad|carne de conducir",
            "card": r"tarjetas?",
            "phone": r"telefono|movil|celular",
            "dob": r"nacimiento|nacid(?:o|a)|nacio",
            "zip": r"codigo postal",
            "harmless": r"pedido|referencia|factura|poliza|reserva|expediente|incidencia|vuelo|matricula",
            "money": r"precio|importe|saldo|cuesta|coste|costo",
        },
    ),
    "fr": Table(
        numbers=(
            "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
            "dix_sept dix_huit dix_neuf"
        ),
        tens=(
            "20=vingt 30=trente 40=quarante 50=cinquante 60=soixante 70=septante "
            "80=quatre_vingts/quatre_vingt "
            "80=huitante 90=nonante"
        ),
        hundreds=(
            "100=cent 200=deux_cents/deux_cent 300=trois_cents/trois_cent 400=quatre_cents/quatre_cent "
            "500=cinq_cents/cinq_cent 600=six_cents/six_cent 700=sept_cents/sept_cent "
            "800=huit_cents/huit_cent "
            "900=neuf_cents/neuf_cent 2000=deux_mille"
        ),
        shape="(?:{h} )?(?:(?:soixante|quatre vingt)(?: et)? {n}|{t}(?:(?: et)? {d})?|{n})|{h}",
        between="et puis ensuite est tiret oui alors euh le la",
        corrections="non pardon excusez rectification",
        months="janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
        units="jours? heures? minutes? semaines? mois ans annees? fois pour_cent euros?",
        cues={
            "cvv": (
                r"cryptogramme|code de securite|(?:trois|3) (?:derniers )?(?:chiffres|numeros)|"
                r"au (?:dos|verso)"
            ),
            "expiry": r"validite|valable jusqu\w*|expiration|expire",
            "pin": r"code (?:secret|confidentiel|d.acces|recu|que (?:vous|nous|je) \w+)|mot de passe",
            "account": r"compte|rib",
            "national_id": r"carte d.identite|passeport|permis de conduire|securite sociale|numero fiscal",
            "card": r"carte(?! d.identite)",
            "phone": r"telephone|numero de (?:portable|mobile)|vous joindre",
            "dob": r"naissance|nee? le",
            "zip": r"code postal",
            "harmless": r"commande|reference|facture|dossier|contrat|reservation|billet|sinistre",
            "money": r"prix|montant|solde|coute",
        },
    ),
    "de": Table(
        numbers=(
            "null eins zwei/zwo drei vier funf/fuenf sechs sieben acht neun zehn elf zwolf/zwoelf "
            "dreizehn vierzehn "
            "funfzehn/fuenfzehn sechzehn siebzehn achtzehn neunzehn"
        ),
        tens=(
            "20=zwanzig 30=dreissig/dreißig 40=vierzig 50=funfzig/fuenfzig 60=sechzig 70=siebzig "
            "80=achtzig "
            "90=neunzig 21=einundzwanzig 31=einunddreissig/einunddreißig 41=einundvierzig "
            "51=einundfunfzig "
            "61=einundsechzig 71=einundsiebzig 81=einundachtzig 91=einundneunzig"
        ),
        hundreds=(
            "100=hundert/einhundert 200=zweihundert 300=dreihundert 400=vierhundert "
            "500=funfhundert/fuenfhundert "
            "600=sechshundert 700=siebenhundert 800=achthundert 900=neunhundert 2000=zweitausend"
        ),
        shape="{h}?(?:{d}und{t}|{t}|{n})|{h}",
        between="und dann danach ist strich bindestrich ja also genau ah ahm die der",
        corrections="nein entschuldigung verzeihung moment korrektur falsch",
        months="januar februar marz april mai juni juli august september oktober november dezember",
        units="tagen? tage stunden? minuten? wochen? monate?n? jahre?n? prozent uhr mal euro",
        cues={
            "cvv": (
                r"(?:karten)?pruf(?:nummer|ziffer|zahl)|sicherheits(?:code|nummer|zahl)|ruckseite|"
                r"(?:drei|3|dreistellige) (?:letzten )?(?:ziffern|zahlen|nummern|nummer|zahl)"
            ),
            "expiry": r"ablauf\w*|gultig\w*",
            "pin": (
                r"geheim(?:zahl|nummer)|kennwort|pass?wort|zugangscode|bestatigungscode|transaktionsnummer|"
                r"pin-?(?:nummer|code)"
            ),
            "account": r"konto\w*",
            "national_id": r"(?:personal)?ausweis\w*|reisepass\w*|fuhrerschein\w*|steuer(?:nummer|-?id)",
            "card": r"(?:kredit|bank)?karten?|(?:kredit)?kartennummer",
            "phone": r"telefon\w*|handynummer|ruckruf\w*|mobil(?:nummer|telefon)",
            "dob": r"geburts\w*|geboren",
            "zip": r"postleitzahl|plz",
            "harmless": (
                r"bestell\w*|rechnungs?\w*|auftrags?\w*|vertrags?\w*|kundennummer|aktenzeichen|buchungs?\w*|"
                r"vorgangs?\w*|zahlerstand"
            ),
            "money": r"preis|betrag|kosten|kostet",
        },
    ),
    "pt": Table(
        numbers=(
            "zero um dois/duas tres quatro cinco seis/meia sete oito nove dez onze doze treze "
            "catorze/quatorze quinze "
            "dezesseis/dezasseis dezessete/dezassete dezoito dezenove/dezanove"
        ),
        tens=("20=vinte 30=trinta 40=quarenta 50=cinquenta 60=sessenta 70=setenta 80=oitenta 90=noventa"),
        hundreds=(
            "100=cem/cento 200=duzentos 300=trezentos 400=quatrocentos 500=quinhentos 600=seiscentos "
            "700=setecentos 800=oitocentos 900=novecentos 2000=dois_mil"
        ),
        shape="{h}(?:(?: e)? {t}(?: e {d})?|(?: e)? {n})?|{t}(?: e {d})?|{n}",
        between="e depois entao hifen traco sim ai o a",
        corrections="nao desculpa desculpe perdao alias corrigindo",
        months=("janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro"),
        units="reais dias? horas? minutos? meses anos? semanas? vezes por_cento mil euros?",
        cues={
            "cvv": (
                r"codigo de (?:seguranca|verificacao)|(?:tres|3) (?:ultimos )?(?:numeros|digitos|algarismos)|"
                r"atras|no verso"
            ),
            "expiry": r"validade|valid(?:o|a) ate|vencimento|vence",
            "pin": r"senha|palavra.passe|codigo (?:secreto|de acesso|que (?:lhe|te|me) \w+)",
            "account": r"conta|agencia",
            "national_id": r"cpf|passaporte|cartao de cidadao|identidade|nif|carta de conducao|cnh",
            "card": r"cartao(?! de cidadao)",
            "phone": r"telefone|celular|telemovel",
            "dob": r"nascimento|nascid(?:o|a)|nasceu",
            "zip": r"cep|codigo postal",
            "harmless": r"pedido|referencia|fatura|apolice|reserva|protocolo|contrato|encomenda",
            "money": r"preco|saldo|custa|custo",
        },
    ),
    "hi": Table(
        numbers=_IN_BOTH_SCRIPTS,
        tens="",
        hundreds=(
            "100=एक_सौ/सौ 200=दो_सौ 300=तीन_सौ 400=चार_सौ 500=पाँच_सौ/पांच_सौ 600=छह_सौ "
            "700=सात_सौ 800=आठ_सौ 900=नौ_सौ "
            "100=ek_sau 200=do_sau 300=teen_sau 400=chaar_sau 500=paanch_sau 600=chhah_sau 700=saat_sau "
            "800=aath_sau 900=nau_sau 2000=दो_हज़ार/दो_हजार/do_hazaar"
        ),
        shape="{h}(?: {n})?|{n}",
        between="और फिर जी हाँ हां है अच्छा aur phir ji haan hai",
        corrections="नहीं माफ़ माफ सॉरी nahi nahin maaf sorry",
        months=(
            "जनवरी फ़रवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर सितम्बर अक्टूबर अक्तूबर नवंबर नवम्बर दिसंबर दिसम्बर"
        ),
        units="रुपये रुपए रुपया दिन बजे मिनट घंटे महीने साल बार हज़ार हजार लाख प्रतिशत",
        cues={
            "cvv": r"सीवीवी|सी वी वी|(?:सुरक्षा|सिक्योरिटी) कोड|कार्ड के पीछे|तीन अंक",
            "expiry": r"एक्सपायरी|एक्सपाइरी|समाप्ति|वैधता",
            "pin": r"पिन(?!\s?कोड)|ओटीपी|पासवर्ड|गुप्त (?:कोड|संख्या)",
            "account": r"खाता|खाते|अकाउंट",
            "national_id": r"आधार|पासपोर्ट|पैन|लाइसेंस",
            "card": r"कार्ड",
            "phone": r"फोन|फ़ोन|मोबाइल",
            "dob": r"जन्म",
            "zip": r"पिन\s?कोड",
            "harmless": r"ऑर्डर|टिकट|शिकायत|रेफरेंस|बिल|बुकिंग|पॉलिसी",
            "money": r"कीमत|रकम|राशि",
        },
    ),
}


def _loose(pattern: str) -> str:
    """A pattern whose letters match with and without accents, and whose spaces match hyphens too."""
    pattern = re.sub(r"(?<!\\)[aceinou]", lambda letter: f"[{ACCENTED[letter[0]]}]", pattern)
    return unicodedata.normalize("NFC", pattern).replace(NUKTA, f"{NUKTA}?").replace(" ", r"[\s-]+")


def _plain(said: str) -> str:
    """Lower case without accents, with one space for spaces and hyphens."""
    composed = unicodedata.normalize("NFC", said.lower())
    bare = (c if c >= "\u0900" else unicodedata.normalize("NFD", c)[0] for c in composed)
    return re.sub(r"[\s-]+", " ", "".join(bare)).replace(NUKTA, "")


def _values(words: str) -> dict[str, int]:
    """The value of each word of "20=vingt 30=trente"."""
    items = (item.partition("=") for item in words.split())
    return {word.replace("_", " "): int(value) for value, _, group in items for word in group.split("/")}


def _any(words: Iterable[str]) -> str:
    """A pattern of any of some words, the longest first."""
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


def _listed(words: str) -> str:
    """A pattern of any of the words of a table's list."""
    return _loose(_any(word.replace("_", " ") for word in words.split()))


@cache
def _number_words(language: str) -> dict[str, int]:
    """The value of every number word of a language."""
    table = TABLES[language]
    below = " ".join(f"{value}={word}" for value, word in enumerate(table.numbers.split()))
    return _values(f"{below} {table.tens} {table.hundreds}")


def groups(language: str) -> str:
    """A pattern of number words, of words that correct them, and of words that may stand between them."""
    table = TABLES[language]
    below = _values(" ".join(f"{value}={word}" for value, word in enumerate(table.numbers.split())))
    digits = [word for word, value in below.items() if 0 < value < 10]
    parts = {"n": below, "t": _values(table.tens), "h": _values(table.hundreds), "d": digits}
    number = _loose(table.shape.format_map({key: _any(words) for key, words in parts.items()}))
    return (
        rf"{BEFORE}(?:(?P<spoken>{number})|(?P<correction>{_listed(table.corrections)})"
        rf"|(?P<between>{_listed(table.between)})){AFTER}"
    )


@cache
def digits(language: str, said: str) -> str:
    """The digits of a number that the first group of ``groups`` matches."""
    values = {_plain(word): value for word, value in _number_words(language).items()}
    return str(sum(values[word] for word in re.findall(_any(values), _plain(said))))


CUES = {
    kind: "|".join(
        rf"{BEFORE}(?:{_loose(table.cues[kind])}){AFTER}" for table in TABLES.values() if kind in table.cues
    )
    for kind in TABLES["es"].cues
}
"""Of all languages together, by the kind: the cue words of one are hardly words of another."""
UNITS_AFTER = _listed(" ".join(table.units for table in TABLES.values())) + AFTER
_YEAR = _loose(_any({word for language in TABLES for word in _number_words(language)}))
EXPIRY = (
    rf"{BEFORE}{_listed(' '.join(table.months for table in TABLES.values()))}\W+(?:d[eo]l?\W+)?"
    rf"(?:\d+|(?:[\s-]*(?:(?:y|et?|und)[\s-]*)?{_YEAR}){{1,4}}){AFTER}"
)
"""A month with a year."""
