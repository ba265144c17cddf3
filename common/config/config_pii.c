#include "config/config_pii.h"

#include "pii/pii_rule.h"

status config_pii_read(const struct config *config, json tree, struct arena *arena,
                       struct scrub_options *ret_options, struct error *reterr)
{
    struct pii_rule rule = {};
    str key              = {};
    TRY(pii_rule_read(tree, &rule, reterr));
    if (rule.mode == PII_HASH) {
        TRY(config_secret_read(config, rule.key, arena, &key, reterr));
        if (key.len < SCRUB_KEY_MIN) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "the secret of `key` has under %d bytes",
                        SCRUB_KEY_MIN);
        }
    }
    *ret_options =
        (struct scrub_options){.mode = rule.mode, .kinds = rule.kinds, .key = bytes_from(key)};
    return STATUS_OK;
}
