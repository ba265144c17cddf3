/*
 * URLs, templates, addresses and network rules from outside: whatever is accepted holds together.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/egress.h"
#include "http/redact.h"
#include "http/url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 16 };

static status value_of(str name, str *ret_value, struct error *, void *)
{
    *ret_value = name;
    return STATUS_OK;
}

/* What is encoded decodes to itself. */
static void check_encoding(str text)
{
    CLEANUP(buf_done) struct buf encoded = buf_init(OUT_MAX);
    CLEANUP(buf_done) struct buf decoded = buf_init(OUT_MAX);
    if (!url_encode(&encoded, text)) return;
    bool is_decoded = url_decode(&decoded, buf_str(&encoded), true);
    ASSERT(is_decoded);
    ASSERT(str_equal(buf_str(&decoded), text));
}

/* The parts lie within the URL, in their order, and the origin reads as the same origin. */
static void check_parts(str url)
{
    struct url parts;
    struct url again;
    if (!url_parse(url, &parts)) return;
    ASSERT(parts.host.len > 0);
    ASSERT(parts.host.ptr >= url.ptr);
    ASSERT(parts.fragment.len == 0 || parts.fragment.ptr + parts.fragment.len == url.ptr + url.len);
    CLEANUP(buf_done) struct buf origin = buf_init(OUT_MAX);
    bool is_put                         = url_put_origin(&origin, &parts);
    ASSERT(is_put);
    bool is_read = url_parse(buf_str(&origin), &again);
    ASSERT(is_read);
    ASSERT(url_same_origin(&parts, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                         = {.ptr = (const char *)data, .len = size};
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    check_encoding(text);
    check_parts(text);
    (void)url_expand(text, value_of, NULL, &out, NULL);
    (void)redact_url(&out, text);

    /* The first half as a secret must not be left in what remains of the whole. */
    str secret = str_slice(text, 0, size / 2);
    buf_clear(&out);
    if (secret.len >= REDACT_SECRET_MIN && !memchr(secret.ptr, '*', secret.len) &&
        redact_text(&out, text, &secret, 1)) {
        ASSERT(out.len == 0 || !memmem(out.ptr, out.len, secret.ptr, secret.len));
    }
    struct egress_address address;
    if (egress_address_parse(text, &address)) (void)egress_class_name(egress_classify(address));
    return 0;
}
