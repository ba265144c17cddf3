/**
 * agent_said: what the conversation of an agent is made of.
 *
 * The answers of a model and of tools are in the journal, as outputs of their jobs. So an agent
 * does not keep the messages that are made of them but the outputs themselves: a snapshot then
 * names the payloads that are there already, and a message is made when it is sent. What is made
 * of an output is therefore format: it must come out the same in every release.
 *
 * For the files of the core only.
 */
#ifndef SCHEDULER_AGENT_SAID_H
#define SCHEDULER_AGENT_SAID_H

#include "json/json.h"

enum { AGENT_RESULT_MAX = 64 << 10 /* bytes of a result that the model sees */ };

/** What a message is made of. On disk. */
enum said_of {
    SAID_MESSAGE = 0, /* itself */
    SAID_ANSWER  = 1, /* what the model's job brought */
    SAID_RESULT  = 2, /* the output of a call */
    SAID_SERVER  = 3, /* likewise, of a tool of an MCP server */
};

struct agent_said {
    enum said_of of;
    json value;
    json call; /* text: the id that the model gave to the call; of results */
};

void agent_said_done(struct agent_said *said);

/** The message as the model is sent it. Owned. */
json agent_said_message_new(const struct agent_said *said);

/* --- a model's answer --------------------------------------------------------------------------
 */

/** The answer without `content` and `tool_calls`, where its `message` says the same. Owned. */
json agent_answer_new(json answer);

/** What an answer of either form says; JSON_INVALID: nothing. The content is owned, the calls are a
 * view. */
json agent_answer_content_new(json answer);
json agent_answer_calls(json answer);

#endif
