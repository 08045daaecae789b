"""The example numbers of every region and kind, by the Python port of libphonenumber.

Writes [{"region", "national", "e164", "kind", "of"}]: the region asked, the number as written
there, its kind, and the region that it belongs to.
"""

import json
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

KINDS = {
    value: name
    for name, value in vars(PhoneNumberType).items()
    if name.isupper() and isinstance(value, int)
}

numbers = []
for region in sorted(phonenumbers.SUPPORTED_REGIONS):
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        numbers.append(
            {
                "region": region,
                "national": phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
                "e164": phonenumbers.format_number(number, PhoneNumberFormat.E164),
                "kind": KINDS[phonenumbers.number_type(number)],
                "of": phonenumbers.region_code_for_number(number),
            }
        )
json.dump(numbers, sys.stdout)
