/**
 * assistant_body: what a client asks of an assistant as a model, in the words of its protocol, made
 * a request that needs none.
 *
 * The prompt goes before everything the client says to the model; parameters and answer schema of
 * the assistant count where the client does not have its own. `variables` is gone, and so are
 * parameters that only `llm.chat` knows. What the protocol has no word for is left out.
 *
 * Pure. Threads: none of its own.
 */
#ifndef SCHEDULER_ASSISTANT_BODY_H
#define SCHEDULER_ASSISTANT_BODY_H

#include "scheduler/run/assistant.h"

enum assistant_protocol {
    ASSISTANT_OPENAI,    /* chat completions */
    ASSISTANT_ANTHROPIC, /* messages */
    ASSISTANT_COUNT,     /* messages, of which the tokens are counted: the prompt alone matters */
    ASSISTANT_GEMINI,    /* generateContent, whose path names the model */
};

/** `*ret_body` is owned. Fails as assistant_render(); also if `messages` is no list. */
status assistant_apply_body(json definition, enum assistant_protocol protocol, json body,
                            struct arena *scratch, json *ret_body, struct error *reterr);

#endif
