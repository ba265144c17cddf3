#include "llm-proxy/answers/item.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SPARE_MAX = 512 /* items */, SPARE_SIZE_MAX = 1024 /* bytes of the data of one */ };

static void item_free(struct item *item)
{
    free(item->message);
    buf_done(&item->data);
    free(item);
}

void items_free(struct item *first)
{
    while (first) {
        struct item *next = first->next;
        item_free(first);
        first = next;
    }
}

struct item *item_take(struct item_spare *spare, size_t size_max)
{
    struct item *item = spare->first;
    if (!item) {
        item       = mem_new(1, sizeof *item);
        item->data = buf_init(size_max);
        return item;
    }
    spare->first = item->next;
    spare->count--;
    *item = (struct item){.data = item->data};
    return item;
}

void item_print(const struct item *item, uint64_t call, Pb__LlmItem *ret_message)
{
    pb__llm_item__init(ret_message);
    ret_message->call = call;
    ret_message->seq  = item->seq;
    ret_message->kind = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA;
    ret_message->data =
        (ProtobufCBinaryData){.data = (uint8_t *)item->data.ptr, .len = item->data.len};
}

void item_put_back(struct item_spare *spare, struct item *item)
{
    bool is_spared = item->data.capacity <= SPARE_SIZE_MAX && spare->count < SPARE_MAX;
    if (!is_spared) {
        item_free(item);
        return;
    }
    free(TAKE(item->message));
    buf_clear(&item->data);
    item->next   = spare->first;
    spare->first = item;
    spare->count++;
}
