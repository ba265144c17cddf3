/**
 * pii_rule: what a configuration says about personal data at one place:
 *
 *     { mode: mask, kinds: [email, card], key: { secret: NAME } }
 *
 * `kinds` is what to look for (all but itin and bank_routing); `key` belongs to `hash`.
 */
#ifndef PII_PII_RULE_H
#define PII_PII_RULE_H

#include "base/status.h"
#include "pii/scrub.h"

struct pii_rule {
    enum pii_mode mode;
    pii_kinds kinds;
    json key; /* the reference, a view of what was read; JSON_INVALID: none */
};

/** INVALID_ARGUMENT: the text says which member, and what may stand there. */
status pii_rule_read(json tree, struct pii_rule *ret_rule, struct error *reterr);

#endif
