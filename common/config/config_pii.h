/** config_pii: a rule about personal data (pii/pii_rule.h) as the configuration has it, with its
 * key. */
#ifndef CONFIG_CONFIG_PII_H
#define CONFIG_CONFIG_PII_H

#include "config/config.h"
#include "pii/scrub.h"

/** Reads `{mode, kinds, key: {secret: NAME}}`; the key lives as long as the arena.
 * INVALID_ARGUMENT: the text says which member; NOT_FOUND and others of config_secret_read(). */
status config_pii_read(const struct config *config, json tree, struct arena *arena,
                       struct scrub_options *ret_options, struct error *reterr);

#endif
