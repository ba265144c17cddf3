/**
 * llm_charge: what an interactive call may cost and whom it is charged to, as its budgets ask it.
 */
#ifndef LLM_PROXY_LLM_CHARGE_H
#define LLM_PROXY_LLM_CHARGE_H

#include "base/arena.h"
#include "llm-proxy/guard/guard.h"
#include "llm-proxy/stream/event.h"
#include "llm.pb-c.h"
#include "workflow/token_estimate.h"

enum { LLM_CHARGE_LABELS_MAX = 16 };

/** Everything but holder, call, labels, model and price. Texts are those of `open`, or static. */
void llm_charge_fill(const Pb__LlmOpen *open, const struct token_estimate *estimate,
                     Pb__ReserveBudgets *ret_asked);

/** The value of a header, by its name in lower case; empty: there is none. A view. */
str llm_open_header(const Pb__LlmOpen *open, const char *name);

/** The labels of the header Tutti-Labels: "team=seo, env=prod". They live as long as `arena`.
 * False: it is not of that form, or there are more than LLM_CHARGE_LABELS_MAX. */
bool llm_charge_labels(const Pb__LlmOpen *open, struct arena *arena, Pb__ReserveBudgets *asked);

/** What the caller hears of a refusal, whose texts it borrows. */
struct llm_error llm_charge_error(enum guard_verdict verdict, const struct guard_refusal *refusal);

#endif
