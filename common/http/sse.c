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
        .data = sse->fresh.ptr ? sse->fresh : buf_str(&sse->data),
        .id   = buf_str(&sse->id),
    };
    if (!sse->fresh.ptr) event.data.len--; /* the LF that ends every data line */
    status code = sse->on_event(&event, sse->context);
    buf_clear(&sse->data);
    buf_clear(&sse->name);
    sse->fresh    = (str){};
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

/* The data that lies in a piece outlives it. */
static bool keep_fresh(struct sse *sse)
{
    str fresh  = sse->fresh;
    sse->fresh = (str){};
    return !fresh.ptr || (buf_put_str(&sse->data, fresh) && buf_put_byte(&sse->data, '\n'));
}

static bool add_data(struct sse *sse, str value, bool is_fresh)
{
    bool is_first = !sse->has_data;
    sse->has_data = true;
    if (is_first && is_fresh && value.len < sse->data.len_max) {
        sse->fresh = value;
        return true;
    }
    return keep_fresh(sse) && buf_put_str(&sse->data, value) && buf_put_byte(&sse->data, '\n');
}

/* `is_fresh`: the line lies in the piece that is fed. */
static bool field(struct sse *sse, str name, str value, bool is_fresh)
{
    if (str_is(name, "data")) return add_data(sse, value, is_fresh);
    if (str_is(name, "event")) return replace(&sse->name, value);
    if (str_is(name, "id")) {
        bool has_nul = value.len > 0 && memchr(value.ptr, '\0', value.len);
        return has_nul || replace(&sse->id, value);
    }
    if (str_is(name, "retry")) set_retry(sse, value);
    return true;
}

static status end_line(struct sse *sse, str line, bool is_fresh, struct error *reterr)
{
    if (line.len == 0) return dispatch(sse);

    bool fits = true;
    if (line.ptr[0] == ':') {
        sse->comments++;
    } else {
        const char *colon = memchr(line.ptr, ':', line.len);
        size_t name_len   = colon ? (size_t)(colon - line.ptr) : line.len;
        str value         = str_slice(line, name_len + (colon ? 1 : 0), line.len);
        if (value.len > 0 && value.ptr[0] == ' ') value = str_slice(value, 1, value.len);
        fits = field(sse, str_slice(line, 0, name_len), value, is_fresh);
    }
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

static status too_long(const struct sse *sse, struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "event stream: a line exceeds %zu bytes",
                sse->line.len_max);
}

/* The next `len` bytes of a line; `is_end`: they are its last ones. */
static status take_part(struct sse *sse, str part, bool is_end, struct error *reterr)
{
    bool is_fresh = is_end && sse->line.len == 0;
    if (is_fresh && part.len <= sse->line.len_max) return end_line(sse, part, true, reterr);
    if (!buf_put_str(&sse->line, part)) return too_long(sse, reterr);
    if (!is_end) return STATUS_OK;
    status code = end_line(sse, buf_str(&sse->line), false, reterr);
    buf_clear(&sse->line);
    return code;
}

static status feed(struct sse *sse, str piece, struct error *reterr)
{
    piece = skip_bom(sse, piece);
    while (piece.len > 0) {
        if (sse->after_cr && piece.ptr[0] == '\n') piece = str_slice(piece, 1, piece.len);
        sse->after_cr = false;
        if (piece.len == 0) break;

        size_t len  = line_length(piece);
        bool is_end = len < piece.len;
        if (is_end) sse->after_cr = piece.ptr[len] == '\r';
        TRY(take_part(sse, str_slice(piece, 0, len), is_end, reterr));
        piece = str_slice(piece, len + 1, piece.len);
    }
    return STATUS_OK;
}

status sse_feed(struct sse *sse, str piece, struct error *reterr)
{
    TRY(feed(sse, piece, reterr));
    if (!keep_fresh(sse)) return too_long(sse, reterr);
    /* A stream that waits keeps no empty buffers. */
    if (sse->line.len == 0) buf_done(&sse->line);
    if (!sse->has_data) buf_done(&sse->data);
    return STATUS_OK;
}

bool sse_is_clean(const struct sse *sse)
{
    bool in_bom = sse->bom_bytes != 0 && sse->bom_bytes != BOM_PASSED;
    return sse->line.len == 0 && !sse->has_data && !in_bom;
}
