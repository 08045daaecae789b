"""Telnyx's own SDK on the webhooks that our emulator signs.

Reads {"public_key", "cases": [{"headers", "body"}]}, writes [true or why not].
"""

import json
import sys

from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

told = json.load(sys.stdin)
answers = []
for case in told["cases"]:
    try:
        verify_webhook_signature(case["body"], case["headers"], told["public_key"])
        answers.append(True)
    except WebhookVerificationError as why:
        answers.append(str(why))
json.dump(answers, sys.stdout)
