/* What the model of a test says. */
#ifndef SCHEDULER_AGENT_TALK_H
#define SCHEDULER_AGENT_TALK_H

/* Answers of the model: a text, or calls. */
#define SAYS(text)                                                                                 \
    "{\"content\": \"" text "\", \"message\": {\"role\": \"assistant\", \"content\": \"" text      \
    "\"}, \"tool_calls\": [], \"finish_reason\": \"stop\"}"
#define CALL_OF(id, name, arguments)                                                               \
    "{\"id\": \"" id "\", \"type\": \"function\", \"function\": {\"name\": \"" name                \
    "\", \"arguments\": \"" arguments "\"}}"
#define ASKS(calls)                                                                                \
    "{\"content\": \"\", \"message\": {\"role\": \"assistant\", \"content\": null, "               \
    "\"tool_calls\": [" calls "]}, \"tool_calls\": [" calls                                        \
    "], \"finish_reason\": \"tool_calls\"}"

#endif
