/**
 * pii_policy: what becomes of personal data in prompts, by route and namespace (section `llm.pii`):
 *
 *     pii:
 *       mode: mask                       # for all
 *       namespaces: { legal: { mode: block } }
 *       routes: { in-house: { mode: allow } }
 *
 * The rule of the route wins, then that of the namespace, then the one for all; without any,
 * nothing is looked for.
 *
 * What is looked through: texts of messages and system prompts, arguments and results of tools,
 * predictions, who the user is said to be, and inputs of embeddings; not schemas, names of members,
 * addresses of images, and base64 where images and signatures stand. It happens before the request
 * is read, so that caches, logs, journals and upstreams see the same; answers are not looked
 * through.
 *
 * Immutable once read.
 */
#ifndef LLM_PROXY_PII_POLICY_H
#define LLM_PROXY_PII_POLICY_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "base/status.h"
#include "config/config.h"
#include "pii/scrub.h"

enum { PII_POLICIES_MAX = 256 /* routes, and as many namespaces */ };

struct pii_policies;

/** Reads the tree `llm.pii`; JSON_INVALID or empty: there is none. Findings go to `list`.
 * Everything lives in `arena`. */
const struct pii_policies *pii_policies_read(const struct config *config, json tree,
                                             struct arena *arena, struct diagnostics *list);

/** The rule for a call; NULL: nothing is looked for. */
const struct scrub_options *pii_policy_of(const struct pii_policies *policies, str namespace,
                                          str route);

/**
 * Applies a rule to the body of a request in any of the client protocols, or to the input of a job.
 * `*ret_body` is owned: `body` itself if nothing changes. FAILED_PRECONDITION: it is blocked, or
 * has tokens instead of texts; the text names the kinds, never a value.
 */
status pii_policy_apply(const struct scrub_options *rule, json body, json *ret_body,
                        struct error *reterr);

#endif
