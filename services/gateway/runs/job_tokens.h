/**
 * job_tokens: what models say in the jobs of one run, while they say it, from all llm-proxies.
 *
 * Every replica is asked once to tell; one that was restarted, or could not be reached, with the
 * next job_tokens_ask(). One that does not stream jobs says so, and is not asked again. Lines come
 * as job_output.h of the llm-proxy has them, and nobody waits for them.
 *
 * Threads: the home loop.
 */
#ifndef GATEWAY_JOB_TOKENS_H
#define GATEWAY_JOB_TOKENS_H

#include "gateway/api/api.h"

/** A piece of text: `place` is <job>:<bytes so far>, `data` JSON. `is_gap`: something is missing.
 */
struct job_token {
    bool is_gap;
    str place, data;
};

/** Reads a line without its end; false: it is none. Views of it. */
bool job_tokens_read(str line, struct job_token *ret_token);

struct job_tokens;

/** Asks at once. `take` comes from other callbacks of the loop only. Owned: job_tokens_free(). */
struct job_tokens *job_tokens_new(struct api *api, const char *run,
                                  void (*take)(const struct job_token *token, void *context),
                                  void *context);
void job_tokens_ask(struct job_tokens *tokens);

/** `take` is not called any more. NULL is fine. */
void job_tokens_free(struct job_tokens *tokens);

#endif
