"""Whose currency a country's news move."""

from backend.core.errors import Invalid

_EURO = {
    "EU": "Euro Area|Euro Zone|Eurozone|European Union|European Monetary Union",
    "EMU": "",
    "EA": "",
    "AT": "Austria",
    "BE": "Belgium",
    "BG": "Bulgaria",
    "HR": "Croatia",
    "CY": "Cyprus",
    "DE": "Germany",
    "EE": "Estonia",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GR": "Greece",
    "IE": "Ireland",
    "IT": "Italy",
    "LT": "Lithuania",
    "LU": "Luxembourg",
    "LV": "Latvia",
    "MT": "Malta",
    "NL": "Netherlands",
    "PT": "Portugal",
    "SI": "Slovenia",
    "SK": "Slovakia",
}
_OTHERS = """
AE AED United Arab Emirates
AR ARS Argentina
AU AUD Australia
BH BHD Bahrain
BR BRL Brazil
CA CAD Canada
CH CHF Switzerland
CL CLP Chile
CN CNY China
CO COP Colombia
CZ CZK Czech Republic|Czechia
DK DKK Denmark
EG EGP Egypt
GB GBP United Kingdom
UK GBP
HK HKD Hong Kong
HU HUF Hungary
ID IDR Indonesia
IL ILS Israel
IN INR India
IS ISK Iceland
JP JPY Japan
KE KES Kenya
KR KRW South Korea
KW KWD Kuwait
KZ KZT Kazakhstan
MA MAD Morocco
MX MXN Mexico
MY MYR Malaysia
NG NGN Nigeria
NO NOK Norway
NZ NZD New Zealand
OM OMR Oman
PE PEN Peru
PH PHP Philippines
PK PKR Pakistan
PL PLN Poland
QA QAR Qatar
RO RON Romania
RS RSD Serbia
RU RUB Russia
SA SAR Saudi Arabia
SE SEK Sweden
SG SGD Singapore
TH THB Thailand
TR TRY Turkey
TW TWD Taiwan
UA UAH Ukraine
US USD United States
UY UYU Uruguay
VN VND Vietnam
ZA ZAR South Africa
"""


def _table() -> dict[str, str]:
    lines = [f"{code} EUR {names}" for code, names in _EURO.items()] + _OTHERS.strip().splitlines()
    found = {}
    for line in lines:
        code, currency, *names = line.split(" ", 2)
        for name in (code, *"".join(names).split("|")):
            if name:
                found[name.upper()] = currency
    return found


CURRENCIES = _table()
"""ISO code or English name in capitals -> currency."""


def currency_of(country: str) -> str:
    """The currency of a country's code or English name.

    Raises:
        Invalid: ``unknown_country``.
    """
    found = CURRENCIES.get(country.strip().upper())
    if found is None:
        raise Invalid("unknown_country", f"no currency is known for the country {country!r}", country=country)
    return found
