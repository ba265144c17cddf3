#include "gateway/api/paging.h"

#include "base/assert.h"

enum { TOKEN_MAX = 2048, PARTITION_DIGITS_MAX = 5 };

struct paging {
    uint16_t partition;
    const char *token; /* its own */
    uint32_t wanted;   /* items of the page */
    uint32_t count;    /* of them so far */
    bool is_begun;
    struct api_answer answer;
};

/* "3.<inner>": the partition, a dot, its own token (empty: from its start). */
static status read_token(const struct api_call *call, const char *token, struct paging *paging,
                         struct error *reterr)
{
    unsigned partition = 0;
    size_t i           = 0;
    for (; i < PARTITION_DIGITS_MAX && token[i] >= '0' && token[i] <= '9'; i++) {
        partition = partition * 10 + (unsigned)(token[i] - '0');
    }
    unsigned known = atomic_load(&call->api->partitions); /* 0: not yet */
    if (i == 0 || token[i] != '.' || partition >= (known > 0 ? known : 1) ||
        strlen(token) > TOKEN_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                         "page_token: take it from `next_page_token` of the page before");
    }
    paging->partition = (uint16_t)partition;
    paging->token     = token + i + 1;
    return STATUS_OK;
}

status paging_begin(struct api_call *call, struct error *reterr)
{
    struct paging *paging = arena_alloc(call->arena, sizeof *paging);
    const char *token     = "";
    ASSERT(paging);
    *paging = (struct paging){.token = ""};
    TRY(api_page(call, &paging->wanted, &token, reterr));
    if (*token) TRY(read_token(call, token, paging, reterr));
    call->state = paging;
    return STATUS_OK;
}

uint16_t paging_page(struct api_call *call, Pb__Page *ret_page)
{
    const struct paging *paging = call->state;
    ret_page->size              = paging->wanted - paging->count;
    ret_page->token             = paging->token;
    return paging->partition;
}

struct json_writer *paging_items(struct api_call *call)
{
    struct paging *paging = call->state;
    if (paging->is_begun) return &paging->answer.json;
    paging->is_begun = true;
    api_answer_begin(&paging->answer, call);
    json_begin_object(&paging->answer.json);
    json_member(&paging->answer.json, "items");
    json_begin_array(&paging->answer.json);
    return &paging->answer.json;
}

bool paging_advance(struct api_call *call, size_t count, const char *inner, const char **ret_token)
{
    struct paging *paging = call->state;
    unsigned partitions   = atomic_load(&call->api->partitions);
    bool has_next         = paging->partition + 1U < partitions;
    *ret_token            = "";
    paging->count += (uint32_t)count;
    if (!*inner && !has_next) return true;
    if (!*inner) {
        paging->partition++;
        paging->token = "";
        if (paging->count < paging->wanted) return false;
    }
    *ret_token = arena_printf(call->arena, "%u.%s", paging->partition, inner);
    ASSERT(*ret_token);
    return true;
}

bool paging_ended(struct api_call *call, size_t count, const char *inner)
{
    struct paging *paging = call->state;
    struct json_writer *w = &paging->answer.json;
    const char *token     = "";
    if (!paging_advance(call, count, inner, &token)) return false;
    json_end_array(w);
    if (*token) json_put_text(w, "next_page_token", str_from(token));
    json_end_object(w);
    api_answer_send(&paging->answer, 200, NULL);
    return true;
}

void paging_failed(struct api_call *call, const struct rpc_answer *answer)
{
    struct paging *paging = call->state;
    if (paging->is_begun) buf_done(&paging->answer.body);
    api_fail_answer(call, answer);
}
