/* anthropic_parts: what messages of Anthropic's API are made of, for anthropic_print.c. */
#ifndef LLM_PROXY_PROVIDERS_ANTHROPIC_PARTS_H
#define LLM_PROXY_PROVIDERS_ANTHROPIC_PARTS_H

#include "llm-proxy/chat/chat.h"
#include "llm-proxy/chat/loss.h"
#include "json/json_write.h"

/* A request that is being written. */
struct anthropic_printing {
    const struct chat_request *request;
    struct losses *losses;
    struct json_writer w;
};

static inline void anthropic_put_value(struct anthropic_printing *p, const char *key, json value)
{
    if (json_is(value, JSON_INVALID)) return;
    json_member(&p->w, key);
    json_write_value(&p->w, value);
}

static inline void anthropic_put_type(struct anthropic_printing *p, const char *type)
{
    json_put_text(&p->w, "type", str_from(type));
}

/* A text that is not empty; a part of a message; the results of a tool, which are a message here.
 */
void anthropic_print_text(struct anthropic_printing *p, const struct chat_part *part);
void anthropic_print_part(struct anthropic_printing *p, const struct chat_message *message,
                          const struct chat_part *part);
void anthropic_print_tool_result(struct anthropic_printing *p, const struct chat_message *message);

#endif
