"""Twilio's own validator on our signatures, and its signatures of the same requests.

Reads {"token", "cases": [{"url", "form": [[name, value]], "signature"}]}, writes
[{"valid", "signature"}].
"""

import json
import sys

from twilio.request_validator import RequestValidator


class Form(dict):
    """A form as web frameworks hand it over: a name may have several values."""

    def getlist(self, name):
        return self[name]


told = json.load(sys.stdin)
validator = RequestValidator(told["token"])
answers = []
for case in told["cases"]:
    form = Form()
    for name, value in case["form"]:
        form.setdefault(name, []).append(value)
    answers.append(
        {
            "valid": validator.validate(case["url"], form, case["signature"]),
            "signature": validator.compute_signature(case["url"], form),
        }
    )
json.dump(answers, sys.stdout)
