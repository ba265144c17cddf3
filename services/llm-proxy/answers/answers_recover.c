/* What the last process has left: streams without an end get one. */
#include "base/attr.h"
#include "base/log.h"
#include "llm-proxy/answers/answers_internal.h"
#include "llm-proxy/answers/frames.h"

enum { TAIL_STREAM_MAX = ANSWERS_BODY_MAX - ANSWERS_FRAME_MAX };

/* The pieces of one stream, put together. */
struct left {
    uint64_t number;
    Pb__StreamPiece *first; /* owned */
    uint64_t pieces;
    bool has_hole; /* the store was full in between */
    struct buf body;
};

static void left_done(struct left *left)
{
    if (left->first) pb__stream_piece__free_unpacked(left->first, NULL);
    buf_done(&left->body);
}

static bool add_piece(struct left *left, bytes value)
{
    Pb__StreamPiece *piece = pb__stream_piece__unpack(NULL, value.len, value.ptr);
    if (!piece) return false;
    bool is_put   = buf_put(&left->body, piece->frames.data, piece->frames.len);
    bool is_first = !left->first || (piece->http_status > 0 && left->first->http_status == 0);
    if (is_first && left->first) pb__stream_piece__free_unpacked(left->first, NULL);
    if (is_first) {
        left->first = piece; /* the announcement; then the one with the head */
    } else {
        pb__stream_piece__free_unpacked(piece, NULL);
    }
    return is_put;
}

static status read_left(struct txn *txn, struct left *left, struct error *reterr)
{
    uint8_t prefix[NUMBER_SIZE];
    number_key(left->number, prefix);
    const struct scan scan                       = {.prefix = {.ptr = prefix, .len = NUMBER_SIZE}};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_TAIL, &scan, &cursor, reterr));
    bytes key   = {};
    bytes value = {};
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        bool is_next = key.len == PAIR_SIZE &&
                       u64_from((const uint8_t *)key.ptr + NUMBER_SIZE) == left->pieces++;
        if (!is_next) left->has_hole = true;
        if (left->has_hole) return STATUS_OK;
        if (!add_piece(left, value)) {
            return fail(reterr, STATUS_DATA_LOSS, "a piece of a stream of answers is broken");
        }
    }
    return STATUS_OK;
}

/* Of a stream that was announced, and whose first words were not written. */
struct bare_head {
    Pb__LlmHeader stream, type;
    Pb__LlmHeader *list[2];
};

static void fill_head(const char *stream, struct bare_head *head, Pb__KeptAnswer *kept)
{
    pb__llm_header__init(&head->stream);
    pb__llm_header__init(&head->type);
    head->stream.name  = "Tutti-Stream";
    head->stream.value = stream;
    head->type.name    = "content-type";
    head->type.value   = "text/event-stream";
    head->list[0]      = &head->stream;
    head->list[1]      = &head->type;
    kept->http_status  = 200;
    kept->headers      = head->list;
    kept->n_headers    = ARRAY_LEN(head->list);
}

static status end_left(struct answers *answers, struct txn *txn, struct left *left,
                       struct error *reterr)
{
    char name[ANSWERS_STREAM_SIZE];
    struct bare_head head;
    CLEANUP(buf_done) struct buf frame = buf_init(ANSWERS_FRAME_MAX);
    answers->print_interrupted(left->first->operation, &frame);
    answers_stream_name(answers, left->number, name);
    left->body.len_max += ANSWERS_FRAME_MAX;
    frames_put(left->first->operation, name, FRAMES_LAST_SEQUENCE, buf_str(&frame), &left->body);
    Pb__KeptAnswer kept = PB__KEPT_ANSWER__INIT;
    kept.number         = left->number;
    kept.namespace_     = left->first->namespace_;
    kept.operation      = left->first->operation;
    kept.is_stream      = true;
    kept.is_interrupted = true;
    kept.outcome        = "cut";
    kept.body.data      = (uint8_t *)left->body.ptr;
    kept.body.len       = left->body.len;
    kept.http_status    = left->first->http_status;
    kept.headers        = left->first->headers;
    kept.n_headers      = left->first->n_headers;
    if (kept.http_status == 0) fill_head(name, &head, &kept);
    struct writing *writing = writing_of(answers, &kept);
    status code             = writing_apply(answers, txn, writing, reterr);
    writing_free(writing);
    return code;
}

/* The first stream that has pieces. NOT_FOUND: there is none. */
static status next_left(struct txn *txn, uint64_t *ret_number, struct error *reterr)
{
    const struct scan scan                       = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes value                                  = {};
    TRY(cursor_open(txn, TABLE_TAIL, &scan, &cursor, reterr));
    TRY(cursor_next(cursor, &key, &value, NULL));
    if (key.len != PAIR_SIZE) {
        return fail(reterr, STATUS_DATA_LOSS, "the store of answers has a key of a wrong size");
    }
    *ret_number = u64_from(key.ptr);
    return STATUS_OK;
}

static status end_one(struct answers *answers, bool *ret_is_more, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    CLEANUP(left_done) struct left left = {.body = buf_init(TAIL_STREAM_MAX)};
    TRY(txn_begin_write(answers->store, &txn, reterr));
    status code  = next_left(txn, &left.number, reterr);
    *ret_is_more = code == STATUS_OK;
    if (code == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(code);
    TRY(read_left(txn, &left, reterr));
    if (left.has_hole) {
        struct writing forget = {.kind = WRITING_FORGET, .number = left.number};
        TRY(writing_apply(answers, txn, &forget, reterr));
    } else {
        TRY(end_left(answers, txn, &left, reterr));
    }
    return txn_commit(TAKE(txn), reterr);
}

static status count_used(struct answers *answers, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    const struct scan scan                       = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes value                                  = {};
    TRY(txn_begin_write(answers->store, &txn, reterr));
    TRY(cursor_open(txn, TABLE_ENDS, &scan, &cursor, reterr));
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        if (value.len >= NUMBER_SIZE) answers->used += u64_from(value.ptr);
    }
    TRY(answers_sweep(answers, txn, reterr));
    return txn_commit(TAKE(txn), reterr);
}

status answers_recover(struct answers *answers, struct error *reterr)
{
    unsigned count = 0;
    bool is_more   = true;
    TRY(count_used(answers, reterr));
    while (is_more) {
        TRY(end_one(answers, &is_more, reterr));
        if (is_more) count++;
    }
    if (count > 0) log_write(LOG_WARN, "llm.streams_interrupted", LOG_INT("count", count));
    return STATUS_OK;
}
