#include "http/plain_reply.h"

#include "framing/fields.h"

/* --- The head --------------------------------------------------------------------------------- */

/* The fields that decide where the answer ends, and how often there are those that may be once. */
struct framing {
    unsigned minor; /* HTTP/1.`minor` */
    int http_status;
    int64_t length; /* -1: none */
    unsigned lengths, codings;
    bool is_chunked, has_close, has_keep_alive;
};

struct reply reply_init(bool is_to_head)
{
    return (struct reply){.is_to_head = is_to_head};
}

static enum reply_step refuse(struct reply *reply, const char *wrong)
{
    reply->wrong = wrong;
    return REPLY_BAD;
}

/* As much of a status line as has arrived; what is no HTTP is refused before its line ends. */
static bool may_be_head(str input)
{
    static const char version[] = "HTTP/1.";
    size_t len                  = input.len < sizeof version - 1 ? input.len : sizeof version - 1;
    return memcmp(input.ptr, version, len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK"; the reason may be missing, with its space or without. */
static bool read_status_line(str line, struct framing *framing)
{
    enum { MINOR = 7, CODE = 9, REASON = 12 };
    if (line.len < REASON || !may_be_head(line) || line.ptr[MINOR + 1] != ' ') return false;
    if (line.ptr[MINOR] != '0' && line.ptr[MINOR] != '1') return false;
    framing->minor = (unsigned)(line.ptr[MINOR] - '0');
    for (size_t i = CODE; i < REASON; i++) {
        if (!is_digit(line.ptr[i])) return false;
        framing->http_status = framing->http_status * 10 + (line.ptr[i] - '0');
    }
    if (line.len > REASON && line.ptr[REASON] != ' ') return false;
    for (size_t i = REASON; i < line.len; i++) {
        if (!is_text_char(line.ptr[i])) return false;
    }
    return framing->http_status >= 100;
}

static bool note_field(struct framing *framing, str name, str value)
{
    switch (name.len) { /* most names are of another length than all of these */
    case sizeof "Connection" - 1:
        if (!str_is_nocase(name, "connection")) return true;
        framing->has_close |= fields_list_has(value, "close");
        framing->has_keep_alive |= fields_list_has(value, "keep-alive");
        return true;
    case sizeof "Content-Length" - 1:
        if (!str_is_nocase(name, "content-length")) return true;
        framing->lengths++;
        return fields_read_length(value, &framing->length);
    case sizeof "Transfer-Encoding" - 1:
        if (!str_is_nocase(name, "transfer-encoding")) return true;
        framing->codings++;
        framing->is_chunked = str_is_nocase(value, "chunked");
        return true;
    default: return true;
    }
}

/* RFC 9112, section 6.3. */
static enum reply_step begin_body(struct reply *reply, const struct framing *framing)
{
    int http_status      = framing->http_status;
    reply->is_kept_alive = !framing->has_close && (framing->minor > 0 || framing->has_keep_alive);
    if (framing->lengths > 1) return refuse(reply, "two lengths");
    if (framing->codings > 0 && framing->lengths > 0) {
        return refuse(reply, "a length and a transfer coding");
    }
    if (framing->codings > 0 &&
        (framing->codings > 1 || !framing->is_chunked || framing->minor == 0)) {
        return refuse(reply, "a transfer coding other than chunked");
    }
    if (http_status == 101) return refuse(reply, "another protocol, which nobody asked for");
    if (http_status < 200) return REPLY_LINES; /* another head follows */
    if (reply->is_to_head || http_status == 204 || http_status == 304 || framing->length == 0) {
        reply->state = REPLY_ENDED;
    } else if (framing->codings > 0) {
        reply->state = REPLY_CHUNKS;
    } else if (framing->length > 0) {
        reply->state = REPLY_LENGTH;
        reply->left  = (uint64_t)framing->length;
    } else {
        reply->state         = REPLY_UNTIL_CLOSE;
        reply->is_kept_alive = false;
    }
    return REPLY_LINES;
}

static enum reply_step read_head(struct reply *reply, str head)
{
    struct framing framing = {.length = -1};
    if (!read_status_line(fields_take_line(&head), &framing)) {
        return refuse(reply, "no status line of HTTP/1.1");
    }
    for (str line = fields_take_line(&head); line.len > 0; line = fields_take_line(&head)) {
        str name;
        str value;
        if (fields_split(line, &name, &value) != FIELD_IS_FINE) {
            return refuse(reply, "a line of the head is no field");
        }
        if (!note_field(&framing, name, value)) return refuse(reply, "the length is no number");
    }
    return begin_body(reply, &framing);
}

static enum reply_step next_head(struct reply *reply, str *input, str *ret_piece)
{
    size_t len = 0;
    if (input->len > 0 && !may_be_head(*input)) return refuse(reply, "no HTTP/1.1");
    switch (fields_find_end(*input, &reply->scanned, &len)) {
    case FIELDS_MORE: return REPLY_MORE;
    case FIELDS_BARE_LF: return refuse(reply, "a line of the head ends with LF instead of CRLF");
    case FIELDS_COMPLETE: break;
    }
    reply->scanned = 0;
    *ret_piece     = str_slice(*input, 0, len);
    *input         = str_slice(*input, len, input->len);
    return read_head(reply, *ret_piece);
}

/* --- The body --------------------------------------------------------------------------------- */

static enum reply_step take(str *input, size_t len, str *ret_piece)
{
    if (input->len == 0) return REPLY_MORE;
    *ret_piece = str_slice(*input, 0, len);
    *input     = str_slice(*input, len, input->len);
    return REPLY_DATA;
}

static enum reply_step next_of_length(struct reply *reply, str *input, str *ret_piece)
{
    size_t len = reply->left < input->len ? (size_t)reply->left : input->len;
    reply->left -= len;
    if (reply->left == 0) reply->state = REPLY_ENDED;
    return take(input, len, ret_piece);
}

static enum reply_step next_of_chunks(struct reply *reply, str *input, str *ret_piece)
{
    switch (chunks_next(&reply->chunks, input, ret_piece)) {
    case CHUNKS_MORE: return REPLY_MORE;
    case CHUNKS_DATA:
        reply->chunks.extra = 0; /* counts from chunk to chunk: streams are long */
        return REPLY_DATA;
    case CHUNKS_DONE: reply->state = REPLY_ENDED; return REPLY_END;
    case CHUNKS_BAD: break;
    }
    return refuse(reply, "the chunks are none");
}

enum reply_step reply_next(struct reply *reply, str *input, str *ret_piece)
{
    switch (reply->state) {
    case REPLY_HEAD: return next_head(reply, input, ret_piece);
    case REPLY_LENGTH: return next_of_length(reply, input, ret_piece);
    case REPLY_CHUNKS: return next_of_chunks(reply, input, ret_piece);
    case REPLY_UNTIL_CLOSE: return take(input, input->len, ret_piece);
    case REPLY_ENDED: break;
    }
    return REPLY_END;
}

bool reply_ends_by_close(struct reply *reply)
{
    if (reply->state == REPLY_UNTIL_CLOSE) reply->state = REPLY_ENDED;
    return reply->state == REPLY_ENDED;
}
