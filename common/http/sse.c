#include "http/sse.h"

#include "base/assert.h"

static const unsigned char bom[] = {0xef, 0xbb, 0xbf};
enum { BOM_PASSED = 0xff };

void sse_init(struct sse *sse, size_t event_max, sse_fn on_event, void *context)
{
    ASSERT(on_event);
    if (event_max == 0) event_max = SSE_EVENT_MAX;
    *sse = (struct sse){
        .on_event = on_event,
        .context  = context,
        .retry_ms = -1,
        .line     = buf_init(event_max),
        .data     = buf_init(event_max),
        .name     = buf_init(SSE_NAME_MAX),
        .id       = buf_init(SSE_NAME_MAX),
    };
}

void sse_done(struct sse *sse)
{
    buf_done(&sse->line);
    buf_done(&sse->data);
    buf_done(&sse->name);
    buf_done(&sse->id);
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* An empty line ends the event. */
static status dispatch(struct sse *sse)
{
    if (!sse->has_data) {
        buf_clear(&sse->name);
        return STATUS_OK;
    }
    struct sse_event event = {
        .name = sse->name.len > 0 ? buf_str(&sse->name) : str_from("message"),
        .data = buf_str(&sse->data),
        .id   = buf_str(&sse->id),
    };
    if (event.data.len > 0) event.data.len--; /* the LF that ends every data line */
    status code = sse->on_event(&event, sse->context);
    buf_clear(&sse->data);
    buf_clear(&sse->name);
    sse->has_data = false;
    return code;
}

/* Digits only, else the field is ignored; more milliseconds than fit an int32 are nobody's wish. */
static void set_retry(struct sse *sse, str value)
{
    int64_t retry_ms = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9' || retry_ms > INT32_MAX) return;
        retry_ms = retry_ms * 10 + (value.ptr[i] - '0');
    }
    if (value.len > 0) sse->retry_ms = retry_ms;
}

static bool replace(struct buf *buf, str value)
{
    buf_clear(buf);
    return buf_put_str(buf, value);
}

static bool field(struct sse *sse, str name, str value)
{
    if (str_is(name, "data")) {
        sse->has_data = true;
        return buf_put_str(&sse->data, value) && buf_put_byte(&sse->data, '\n');
    }
    if (str_is(name, "event")) return replace(&sse->name, value);
    if (str_is(name, "id")) {
        bool has_nul = value.len > 0 && memchr(value.ptr, '\0', value.len);
        return has_nul || replace(&sse->id, value);
    }
    if (str_is(name, "retry")) set_retry(sse, value);
    return true;
}

static status end_line(struct sse *sse, struct error *reterr)
{
    str line = buf_str(&sse->line);
    if (line.len == 0) return dispatch(sse);

    bool fits = true;
    if (line.ptr[0] == ':') {
        sse->comments++;
    } else {
        const char *colon = memchr(line.ptr, ':', line.len);
        size_t name_len   = colon ? (size_t)(colon - line.ptr) : line.len;
        str value         = str_slice(line, name_len + (colon ? 1 : 0), line.len);
        if (value.len > 0 && value.ptr[0] == ' ') value = str_slice(value, 1, value.len);
        fits = field(sse, str_slice(line, 0, name_len), value);
    }
    buf_clear(&sse->line);
    if (fits) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "event stream: an event exceeds %zu bytes",
                sse->data.len_max);
}

/* --- Pieces ----------------------------------------------------------------------------------- */

/* Skips a byte-order mark at the very beginning; what only looked like one is text. */
static str skip_bom(struct sse *sse, str piece)
{
    while (piece.len > 0 && sse->bom_bytes != BOM_PASSED) {
        if ((unsigned char)piece.ptr[0] != bom[sse->bom_bytes]) {
            (void)buf_put(&sse->line, bom, sse->bom_bytes);
            sse->bom_bytes = BOM_PASSED;
            break;
        }
        piece = str_slice(piece, 1, piece.len);
        sse->bom_bytes++;
        if (sse->bom_bytes == sizeof bom) sse->bom_bytes = BOM_PASSED;
    }
    return piece;
}

static size_t line_length(str piece)
{
    const char *lf = memchr(piece.ptr, '\n', piece.len);
    size_t len     = lf ? (size_t)(lf - piece.ptr) : piece.len;
    const char *cr = memchr(piece.ptr, '\r', len);
    return cr ? (size_t)(cr - piece.ptr) : len;
}

status sse_feed(struct sse *sse, str piece, struct error *reterr)
{
    piece = skip_bom(sse, piece);
    while (piece.len > 0) {
        if (sse->after_cr && piece.ptr[0] == '\n') piece = str_slice(piece, 1, piece.len);
        sse->after_cr = false;
        if (piece.len == 0) break;

        size_t len = line_length(piece);
        if (!buf_put(&sse->line, piece.ptr, len)) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "event stream: a line exceeds %zu bytes",
                        sse->line.len_max);
        }
        if (len == piece.len) break;
        sse->after_cr = piece.ptr[len] == '\r';
        piece         = str_slice(piece, len + 1, piece.len);
        TRY(end_line(sse, reterr));
    }
    return STATUS_OK;
}

bool sse_is_clean(const struct sse *sse)
{
    bool in_bom = sse->bom_bytes != 0 && sse->bom_bytes != BOM_PASSED;
    return sse->line.len == 0 && !sse->has_data && !in_bom;
}
