#include "telemetry/trace.h"

#include "base/hash.h"

#include <stdio.h>

/* Offsets in "00-<32>-<16>-<2>". */
enum { AT_TRACE = 3, AT_SPAN = 36, AT_FLAGS = 53, TEXT_LEN = 55 };

/* hex_decode() takes capitals too, the specification does not. */
static bool take_hex(str text, size_t from, size_t size, void *ret_data)
{
    str part = str_slice(text, from, from + 2 * size);
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] >= 'A' && part.ptr[i] <= 'F') return false;
    }
    return hex_decode(part, ret_data, size);
}

static bool is_zero(const uint8_t *raw, size_t size)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < size; i++) bits |= raw[i];
    return bits == 0;
}

bool trace_parse(str traceparent, struct trace_context *ret_context)
{
    str text = traceparent;
    if (text.len < TEXT_LEN) return false;
    uint8_t version;
    uint8_t flags;
    struct trace_context context = {};
    bool has_form                = text.ptr[2] == '-' && text.ptr[AT_SPAN - 1] == '-' &&
                    text.ptr[AT_FLAGS - 1] == '-' && take_hex(text, 0, 1, &version) &&
                    take_hex(text, AT_TRACE, TRACE_ID_SIZE, context.trace_id) &&
                    take_hex(text, AT_SPAN, SPAN_ID_SIZE, context.span_id) &&
                    take_hex(text, AT_FLAGS, 1, &flags);
    if (!has_form || version == 0xFF) return false;
    if (text.len > TEXT_LEN && (version == 0 || text.ptr[TEXT_LEN] != '-')) return false;
    if (is_zero(context.trace_id, TRACE_ID_SIZE) || is_zero(context.span_id, SPAN_ID_SIZE)) {
        return false;
    }
    context.is_sampled = flags & 1;
    *ret_context       = context;
    return true;
}

void trace_format(const struct trace_context *context, char text[static TRACE_TEXT_SIZE])
{
    char trace[2 * TRACE_ID_SIZE + 1];
    char span[2 * SPAN_ID_SIZE + 1];
    hex_encode(context->trace_id, TRACE_ID_SIZE, trace);
    hex_encode(context->span_id, SPAN_ID_SIZE, span);
    (void)snprintf(text, TRACE_TEXT_SIZE, "00-%s-%s-%s", trace, span,
                   context->is_sampled ? "01" : "00");
}

static void fill(struct prng *random, uint8_t *raw, size_t size)
{
    do { /* all zeros are no id; one chance in 2^64 */
        for (size_t i = 0; i < size; i += 8) {
            uint64_t word = prng_next(random);
            memcpy(raw + i, &word, 8);
        }
    } while (is_zero(raw, size));
}

struct trace_context trace_new(struct prng *random, bool is_sampled)
{
    struct trace_context context = {.is_sampled = is_sampled};
    fill(random, context.trace_id, TRACE_ID_SIZE);
    fill(random, context.span_id, SPAN_ID_SIZE);
    return context;
}

struct trace_context trace_child(const struct trace_context *parent, struct prng *random)
{
    struct trace_context context = *parent;
    fill(random, context.span_id, SPAN_ID_SIZE);
    return context;
}
