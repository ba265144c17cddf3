#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/answers/frames.h"
#include "llm-proxy/answers/recording_internal.h"

#include <stdlib.h>
#include <string.h>

enum { SAID_MAX = 160 << 20 /* bytes: two of the largest answers */ };

static void on_write_timer(void *context);
static void on_grace(void *context);

static str key_of(const uint64_t *number)
{
    return (str){.ptr = (const char *)number, .len = sizeof *number};
}

/* --- life --------------------------------------------------------------------------------------
 */

struct recordings *recordings_new(struct loop *loop, struct answers *answers, int64_t grace_ms)
{
    struct recordings *all = mem_new(1, sizeof *all);
    all->loop              = loop;
    all->answers           = answers;
    all->grace_ms          = grace_ms;
    all->streams           = map_new(RECORDINGS_MAX);
    all->timer             = (struct loop_timer){.fire = on_write_timer, .context = all};
    return all;
}

static void destroy(struct recording *recording)
{
    struct recordings *all = recording->all;
    if (recording->previous) recording->previous->next = recording->next;
    if (recording->next) recording->next->previous = recording->previous;
    if (all->first == recording) all->first = recording->next;
    all->size -= recording->said.len;
    if (recording->head) pb__stream_piece__free_unpacked(recording->head, NULL);
    if (recording->usage) pb__usage__free_unpacked(recording->usage, NULL);
    buf_done(&recording->said);
    free(recording->namespace);
    free(recording);
}

static void hide(struct recording *recording)
{
    struct map *streams = recording->all->streams;
    bool is_known       = map_get(streams, key_of(&recording->number)) == recording;
    if (is_known) (void)map_remove(streams, key_of(&recording->number));
}

static void recording_free(struct recording *recording)
{
    while (recording->followers) {
        struct follower *follower = recording->followers;
        recording->followers      = follower->next;
        follower->recording       = NULL;
        follower_drop(follower);
    }
    hide(recording);
    loop_timer_clear(recording->all->loop, &recording->grace);
    answers_unclaim(&recording->claim);
    recording->is_dead = true;
    if (recording->awaited == 0) destroy(recording);
}

void recordings_freep(struct recordings **ref)
{
    struct recordings *all = *ref;
    if (!all) return;
    while (all->first) {
        all->first->awaited = 0; /* the store says nothing any more */
        recording_free(all->first);
    }
    loop_timer_clear(all->loop, &all->timer);
    map_free(all->streams);
    free(all);
    *ref = NULL;
}

void recordings_abandon(struct recordings *recordings)
{
    struct recording *next = NULL;
    for (struct recording *at = recordings->first; at; at = next) {
        next = at->next; /* an owner ends its own one only */
        if (at->is_durable && at->owner.context) at->owner.abandoned(at->owner.context);
    }
}

/* It goes on to the readers it has, and cannot be resumed: not from here, and not after a restart.
 */
static void lose(struct recording *recording)
{
    recording->is_lost = true;
    if (!recording->is_durable) return;
    hide(recording);
    answers_forget(recording->all->answers, recording->number);
    recording_count_readers(recording);
}

/* The store has a piece, or there would be a hole. One that has ended is kept whole. */
static void on_written(bool is_kept, void *context)
{
    struct recording *recording = context;
    recording->awaited--;
    bool is_on_its_way = !recording->is_dead && recording->owner.context;
    if (!is_kept && is_on_its_way && !recording->is_lost) lose(recording);
    if (recording->is_dead && recording->awaited == 0) destroy(recording);
}

static void on_announced(bool is_kept, void *context)
{
    struct recording *recording = context;
    recording->is_announcing    = false;
    if (!recording->is_dead) recording_pump(recording);
    on_written(is_kept, recording);
}

static void announce(struct recording *recording)
{
    Pb__StreamPiece piece    = PB__STREAM_PIECE__INIT;
    piece.operation          = recording->operation;
    piece.namespace_         = recording->namespace;
    recording->is_announcing = true;
    recording->awaited++;
    answers_append(recording->all->answers, recording->number, recording->pieces++, &piece,
                   on_announced, recording);
}

struct recording *recording_new(struct recordings *recordings, const Pb__LlmOpen *open,
                                bool is_durable, struct answers_claim *claim,
                                const struct recording_owner *owner)
{
    bool is_refused = is_durable && (recordings->size > RECORDINGS_SIZE_MAX ||
                                     map_count(recordings->streams) >= RECORDINGS_MAX);
    if (is_refused) return NULL;
    struct recording *recording = mem_new(1, sizeof *recording);
    recording->all              = recordings;
    recording->owner            = *owner;
    recording->is_durable       = is_durable;
    recording->is_recorded      = is_durable || claim->answers;
    recording->operation        = open->operation;
    recording->said             = buf_init(SAID_MAX);
    recording->grace            = (struct loop_timer){.fire = on_grace, .context = recording};
    recording->next             = recordings->first;
    if (recording->next) recording->next->previous = recording;
    recordings->first = recording;
    if (!recording->is_recorded) return recording;
    answers_move_claim(claim, &recording->claim);
    recording->claim.owner = recording;
    recording->number      = answers_next_number(recordings->answers);
    recording->namespace   = mem_dup(open->namespace_, strlen(open->namespace_));
    if (!is_durable) return recording;
    answers_stream_name(recordings->answers, recording->number, recording->stream);
    bool is_put = map_put(recordings->streams, key_of(&recording->number), recording);
    ASSERT(is_put); /* there was room */
    announce(recording);
    return recording;
}

const char *recording_stream(const struct recording *recording)
{
    return recording->stream;
}

void recording_free_if_done(struct recording *recording)
{
    if (recording->is_over && !recording->followers) recording_free(recording);
}

/* --- what is said ------------------------------------------------------------------------------
 */

static Pb__StreamPiece *copy_piece(const Pb__StreamPiece *piece)
{
    size_t size           = pb__stream_piece__get_packed_size(piece);
    uint8_t *packed       = mem_new(1, size + 1);
    Pb__StreamPiece *copy = NULL;
    (void)pb__stream_piece__pack(piece, packed);
    copy = pb__stream_piece__unpack(NULL, size, packed);
    free(packed);
    ASSERT(copy); /* it was ours */
    return copy;
}

void recording_head(struct recording *recording, uint32_t http_status, Pb__LlmHeader **headers,
                    size_t header_count)
{
    if (!recording->is_recorded) {
        struct follower *only = recording->followers;
        if (only) outbox_head(only->outbox, http_status, headers, header_count);
        return;
    }
    Pb__LlmHeader stream  = PB__LLM_HEADER__INIT;
    Pb__LlmHeader **all   = mem_new(header_count + 1, sizeof(Pb__LlmHeader *));
    Pb__StreamPiece piece = PB__STREAM_PIECE__INIT;
    if (header_count > 0) memcpy(all, headers, header_count * sizeof(Pb__LlmHeader *));
    stream.name       = "Tutti-Stream";
    stream.value      = recording->stream;
    all[header_count] = &stream;
    piece.operation   = recording->operation;
    piece.namespace_  = recording->namespace;
    piece.http_status = http_status;
    piece.headers     = all;
    piece.n_headers   = header_count + (recording->is_durable && http_status == 200 ? 1 : 0);
    recording->head   = copy_piece(&piece);
    free(all);
    recording_pump(recording);
}

static void put_said(struct recording *recording, str text)
{
    bool is_put = buf_put_str(&recording->said, text);
    ASSERT(is_put); /* as in put_frames() */
    recording->all->size += text.len;
}

static void put_frames(struct recording *recording, str events)
{
    size_t before = recording->said.len;
    while (events.len > 0) {
        str event = frames_first(events);
        frames_put(recording->operation, recording->stream, ++recording->frames, event,
                   &recording->said);
        events = str_slice(events, event.len, events.len);
    }
    ASSERT(!recording->said.is_full); /* answers are bounded, and it stops at RECORDING_MAX */
    recording->all->size += recording->said.len - before;
}

/* Its beginning goes as its readers take it. */
static void trim(struct recording *recording)
{
    uint64_t least = recording->released;
    for (struct follower *at = recording->followers; at; at = at->next) {
        if (at->position < least) least = at->position;
    }
    size_t size = (size_t)(least - recording->dropped);
    if (size == 0) return;
    buf_consume(&recording->said, size);
    recording->dropped = least;
    recording->all->size -= size;
}

static void want_writing(struct recordings *all)
{
    if (loop_timer_is_set(&all->timer)) return;
    loop_timer_set(all->loop, &all->timer, loop_now_ms(all->loop) + RECORDING_WRITE_MS);
}

void recording_data(struct recording *recording, str data)
{
    if (!recording->is_recorded) {
        if (recording->followers) outbox_data(recording->followers->outbox, data);
        return;
    }
    if (recording->is_durable) {
        put_frames(recording, data);
    } else {
        put_said(recording, data);
    }
    recording->released = recording->dropped + recording->said.len;
    if (!recording->is_lost && recording->said.len > RECORDING_MAX) lose(recording);
    recording_pump(recording);
    if (recording->is_lost) {
        trim(recording);
    } else if (recording->is_durable) {
        want_writing(recording->all);
    }
}

void recording_ahead(const struct recording *recording, struct loop_ahead *ahead)
{
    const struct follower *first = recording->followers;
    loop_ahead_add(ahead, recording, offsetof(struct recording, owner));
    if (!first) return;
    loop_ahead_add(ahead, first, offsetof(struct follower, number));
    if (first->outbox) outbox_ahead(first->outbox, ahead);
}

bool recording_is_full(const struct recording *recording)
{
    const struct follower *first = recording->followers;
    if (recording->is_durable) {
        return recording->is_lost && recording->said.len > OUTBOX_FULL;
    }
    return first && first->outbox && outbox_is_full(first->outbox);
}

bool recording_is_kept(const struct recording *recording)
{
    return recording->is_recorded && !recording->is_lost;
}

/* --- pieces ------------------------------------------------------------------------------------
 */

static void write_piece(struct recording *recording)
{
    Pb__StreamPiece piece = PB__STREAM_PIECE__INIT;
    if (recording->written == 0) piece = *recording->head;
    str frames = str_slice(buf_str(&recording->said), (size_t)recording->written,
                           (size_t)recording->released);
    piece.frames =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)frames.ptr, .len = frames.len};
    answers_append(recording->all->answers, recording->number, recording->pieces++, &piece,
                   on_written, recording);
    recording->awaited++;
    recording->written = recording->released;
}

static void on_write_timer(void *context)
{
    struct recordings *all = context;
    for (struct recording *at = all->first; at; at = at->next) {
        bool is_due = at->is_durable && !at->is_lost && at->owner.context && at->head &&
                      at->written < at->released;
        if (is_due) write_piece(at);
    }
}

/* --- readers -----------------------------------------------------------------------------------
 */

void recording_pump(struct recording *recording)
{
    struct follower *next = NULL;
    for (struct follower *at = recording->followers; at; at = next) {
        next = at->next;
        follower_pump(at);
    }
}

static void on_grace(void *context)
{
    struct recording *recording = context;
    if (recording->owner.abandoned) recording->owner.abandoned(recording->owner.context);
}

void recording_count_readers(struct recording *recording)
{
    struct loop *loop = recording->all->loop;
    if (!recording->is_durable || !recording->owner.context) return;
    if (recording->followers) {
        loop_timer_clear(loop, &recording->grace);
    } else {
        int64_t grace_ms = recording->is_lost ? 0 : recording->all->grace_ms;
        loop_timer_set(loop, &recording->grace, loop_now_ms(loop) + grace_ms);
    }
}

void recording_go_on(struct recording *recording, struct follower *follower)
{
    const struct recording_owner owner = recording->owner;
    follower_pump(follower); /* frees it, and the recording, if that was all */
    if (!owner.context) return;
    if (recording->is_lost) trim(recording);
    if (!recording_is_full(recording)) owner.relieved(owner.context);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void release(struct recording *recording)
{
    recording->is_over  = true;
    recording->released = recording->dropped + recording->said.len;
    hide(recording);
    answers_unclaim(&recording->claim);
    if (!recording->followers) {
        recording_free(recording);
    } else {
        recording_pump(recording); /* the last one frees it */
    }
}

static void on_kept(bool is_kept, void *context)
{
    struct recording *recording = context;
    recording->awaited--;
    if (!is_kept && recording->is_durable) {
        answers_forget(recording->all->answers, recording->number); /* its pieces */
    }
    if (!recording->is_dead) {
        release(recording); /* if it could not be kept that is logged; it was bought nevertheless */
    } else if (recording->awaited == 0) {
        destroy(recording);
    }
}

static void keep(struct recording *recording, bool is_bought)
{
    Pb__KeptAnswer kept = PB__KEPT_ANSWER__INIT;
    bool has_name       = is_bought && recording->claim.answers;
    kept.number         = recording->number;
    kept.namespace_     = recording->namespace;
    kept.operation      = recording->operation;
    kept.is_stream      = recording->is_durable;
    kept.http_status    = recording->head->http_status;
    kept.headers        = recording->head->headers;
    kept.n_headers      = recording->head->n_headers;
    kept.body.data      = (uint8_t *)recording->said.ptr;
    kept.body.len       = recording->said.len;
    kept.usage          = recording->usage;
    kept.outcome        = recording->outcome;
    if (has_name) {
        kept.name    = (ProtobufCBinaryData){.data = recording->claim.name, .len = SHA256_SIZE};
        kept.request = (ProtobufCBinaryData){.data = recording->claim.request, .len = SHA256_SIZE};
    }
    recording->awaited++;
    answers_keep(recording->all->answers, &kept, on_kept, recording);
}

static Pb__Usage *copy_usage(const Pb__Usage *usage)
{
    size_t size     = pb__usage__get_packed_size(usage);
    uint8_t *packed = mem_new(1, size + 1);
    (void)pb__usage__pack(usage, packed);
    Pb__Usage *copy = pb__usage__unpack(NULL, size, packed);
    free(packed);
    ASSERT(copy); /* it was ours */
    return copy;
}

/* Nothing is kept: there is one reader, or none. */
static void end_plain(struct recording *recording, str last, const Pb__Usage *usage)
{
    struct follower *only = recording->followers;
    if (only) {
        outbox_data(only->outbox, last);
        outbox_end(TAKE(only->outbox), usage, recording->outcome);
    }
    recording_free(recording);
}

void recording_end(struct recording *recording, str last, const Pb__Usage *usage,
                   enum recording_end how)
{
    recording->owner   = (struct recording_owner){};
    recording->outcome = how == RECORDING_CUT ? "cut" : "complete";
    loop_timer_clear(recording->all->loop, &recording->grace);
    if (!recording->is_recorded) {
        end_plain(recording, last, usage);
        return;
    }
    recording->usage = copy_usage(usage);
    if (recording->is_durable && how != RECORDING_FAILED) {
        put_frames(recording, last);
    } else {
        put_said(recording, last);
    }
    bool is_asked = how == RECORDING_BOUGHT || (how == RECORDING_CUT && recording->is_durable);
    bool is_kept  = is_asked && recording->head && !recording->is_lost &&
                   recording->said.len <= ANSWERS_BODY_MAX;
    if (is_kept) {
        keep(recording, how == RECORDING_BOUGHT);
        return;
    }
    if (recording->is_durable && !recording->is_lost) {
        answers_forget(recording->all->answers, recording->number);
    }
    release(recording);
}

void recording_drop(struct recording *recording)
{
    recording->owner = (struct recording_owner){};
    if (recording->is_durable) answers_forget(recording->all->answers, recording->number);
    recording_free(recording);
}
