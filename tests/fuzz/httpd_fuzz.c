/*
 * The parsers of a request: head, target, chunks, query. Besides memory errors it looks for inputs
 * that mean one thing in one piece and another byte by byte.
 */
#include "base/assert.h"
#include "httpd/httpd_internal.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 1 << 20 };

struct outcome {
    enum head_scan scan;
    size_t len;
    struct httpd_refusal refusal;
};

static struct outcome scan_in_pieces(str input, size_t piece)
{
    struct outcome outcome = {.scan = HEAD_MORE};
    size_t scanned         = 0;
    for (size_t len = piece; outcome.scan == HEAD_MORE; len += piece) {
        size_t seen = len < input.len ? len : input.len;
        outcome.scan =
            head_scan(str_slice(input, 0, seen), &scanned, &outcome.len, &outcome.refusal);
        if (seen == input.len) break;
    }
    return outcome;
}

static bool is_inside(str part, str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_head(str raw, struct httpd_budget *budget)
{
    struct head head;
    struct httpd_refusal refusal = {};
    if (!head_parse(raw, &head, &refusal)) {
        ASSERT(refusal.http_status >= 400 && refusal.code && refusal.detail);
        return;
    }
    ASSERT(is_inside(head.method, raw) && is_inside(head.target, raw));
    ASSERT(!(head.is_chunked && head.content_length >= 0));
    for (size_t i = 0; i < head.field_count; i++) {
        ASSERT(is_inside(head.fields[i].name, raw) && is_inside(head.fields[i].value, raw));
        ASSERT(memchr(head.fields[i].value.ptr, '\n', head.fields[i].value.len) == NULL);
    }
    struct httpd_request *request = request_new(&head, "127.0.0.1", budget, &refusal);
    if (!request) {
        ASSERT(refusal.http_status == 400);
        return;
    }
    ASSERT(request->path.len > 0);
    ASSERT(request->path.ptr[0] == '/' || str_is(request->path, "*"));
    ASSERT(memchr(request->path.ptr, '\0', request->path.len) == NULL);
    size_t cursor = 0;
    str name;
    str value;
    struct buf decoded = buf_init(HTTPD_TARGET_MAX);
    while (httpd_query_next(request->query, &cursor, &name, &value)) {
        buf_clear(&decoded);
        (void)httpd_decode(value, true, &decoded);
    }
    buf_done(&decoded);
    (void)httpd_request_field(request, "host");
    httpd_request_free(request);
}

/* Decodes as much as there is; returns the last step and the rest. */
static enum chunks_step decode(str input, size_t piece, struct buf *body, size_t *ret_used)
{
    struct chunks chunks  = {};
    enum chunks_step last = CHUNKS_MORE;
    size_t used           = 0;
    while (used < input.len && last == CHUNKS_MORE) {
        str part     = str_slice(input, used, used + piece < used ? input.len : used + piece);
        size_t given = part.len;
        str data;
        do {
            last = chunks_next(&chunks, &part, &data);
            if (last == CHUNKS_DATA) (void)buf_put_str(body, data);
        } while (last == CHUNKS_DATA);
        used += given - part.len;
    }
    *ret_used = used;
    return last;
}

static void check_chunks(str input)
{
    struct buf whole = buf_init(BODY_MAX);
    struct buf slow  = buf_init(BODY_MAX);
    size_t whole_used;
    size_t slow_used;
    enum chunks_step first  = decode(input, SIZE_MAX, &whole, &whole_used);
    enum chunks_step second = decode(input, 1, &slow, &slow_used);
    ASSERT(first == second);
    ASSERT(whole_used == slow_used);
    ASSERT(str_equal(buf_str(&whole), buf_str(&slow)));
    buf_done(&whole);
    buf_done(&slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4 * HTTPD_HEAD_MAX) return 0;
    str input            = {.ptr = (const char *)data, .len = size};
    struct outcome whole = scan_in_pieces(input, SIZE_MAX / 2);
    struct outcome slow  = scan_in_pieces(input, 1);
    ASSERT(whole.scan == slow.scan);
    if (whole.scan == HEAD_BAD) ASSERT(whole.refusal.http_status == slow.refusal.http_status);
    if (whole.scan == HEAD_COMPLETE) {
        ASSERT(whole.len == slow.len);
        struct httpd_budget *budget = budget_new(BODY_MAX);
        check_head(str_slice(input, 0, whole.len), budget);
        budget_unref(budget);
        input = str_slice(input, whole.len, input.len); /* as if a chunked body followed */
    }
    check_chunks(input);
    return 0;
}
