"""Twilio's own validator on our signatures, and its signatures of the same requests.

Reads {"token", "cases": [{"url", "form": [[name, value]], "signature"}]}, writes
[{"valid", "signature"}]. With "bodies" posted to "url", which are no forms, it writes
[{"url", "valid", "signature"}] of those behind them.
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
for body in told.get("bodies", []):
    url = told["url"] + "&bodySHA256=" + validator.compute_hash(body)
    signature = validator.compute_signature(url, {})
    answers.append(
        {"url": url, "valid": validator.validate(url, body, signature), "signature": signature}
    )
json.dump(answers, sys.stdout)
