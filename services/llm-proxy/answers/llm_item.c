#include "llm-proxy/answers/llm_item.h"

#include "base/assert.h"
#include "base/mem.h"

#include <string.h>

/* The copy, and what it points to. */
struct copy {
    Pb__LlmItem item;
    Pb__Usage usage;
    Pb__LlmHeader headers[]; /* then their addresses, then all texts */
};

static size_t text_size(const char *text)
{
    return strlen(text) + 1;
}

static size_t texts_size(const Pb__LlmItem *item)
{
    size_t size = text_size(item->outcome);
    if (item->usage) size += text_size(item->usage->provider) + text_size(item->usage->model);
    for (size_t i = 0; i < item->n_headers; i++) {
        size += text_size(item->headers[i]->name) + text_size(item->headers[i]->value);
    }
    return size;
}

/* Copies `text` to `*place`, which moves on. */
static const char *put_text(char **place, const char *text)
{
    size_t size       = text_size(text);
    const char *begin = memcpy(*place, text, size);
    *place += size;
    return begin;
}

Pb__LlmItem *llm_item_copy(const Pb__LlmItem *item, size_t *ret_size)
{
    ASSERT(item->data.len == 0);
    size_t one          = sizeof(Pb__LlmHeader) + sizeof(Pb__LlmHeader *);
    size_t size         = texts_size(item);
    struct copy *copy   = mem_new(1, sizeof *copy + item->n_headers * one + size);
    Pb__LlmHeader **all = (Pb__LlmHeader **)(copy->headers + item->n_headers);
    char *texts         = (char *)(all + item->n_headers);
    copy->item          = *item;
    copy->item.outcome  = put_text(&texts, item->outcome);
    copy->item.headers  = all;
    *ret_size           = size;
    for (size_t i = 0; i < item->n_headers; i++) {
        copy->headers[i]       = *item->headers[i];
        copy->headers[i].name  = put_text(&texts, item->headers[i]->name);
        copy->headers[i].value = put_text(&texts, item->headers[i]->value);
        all[i]                 = &copy->headers[i];
    }
    if (!item->usage) return &copy->item;
    copy->usage          = *item->usage;
    copy->usage.provider = put_text(&texts, item->usage->provider);
    copy->usage.model    = put_text(&texts, item->usage->model);
    copy->item.usage     = &copy->usage;
    return &copy->item;
}
