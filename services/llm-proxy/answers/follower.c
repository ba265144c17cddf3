/* Who reads a recording, or an answer that is kept. */
#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/answers/frames.h"
#include "llm-proxy/answers/recording_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void on_relieved(void *context)
{
    struct follower *follower   = context;
    struct recording *recording = follower->recording;
    if (!recording) return;
    if (recording->is_recorded) {
        recording_go_on(recording, follower);
    } else if (recording->owner.relieved) {
        recording->owner.relieved(recording->owner.context);
    }
}

static struct follower *follower_new(struct subscriber *subscriber, uint64_t number)
{
    struct follower *follower       = mem_new(1, sizeof *follower);
    const struct outbox_owner owner = {.relieved = on_relieved, .context = follower};
    follower->outbox                = outbox_new(subscriber, number, &owner);
    if (!follower->outbox) {
        free(follower);
        return NULL;
    }
    follower->subscriber = subscriber;
    follower->number     = number;
    follower->next_of    = subscriber->followers;
    if (follower->next_of) follower->next_of->previous_of = follower;
    subscriber->followers = follower;
    return follower;
}

static void follower_free(struct follower *follower)
{
    struct subscriber *subscriber = follower->subscriber;
    if (follower->previous_of) follower->previous_of->next_of = follower->next_of;
    if (follower->next_of) follower->next_of->previous_of = follower->previous_of;
    if (subscriber->followers == follower) subscriber->followers = follower->next_of;
    if (follower->recording) {
        struct follower **link = &follower->recording->followers;
        while (*link != follower) link = &(*link)->next;
        *link = follower->next;
    }
    if (follower->outbox) outbox_drop(follower->outbox);
    free(follower);
}

struct follower *follower_of(struct subscriber *subscriber, uint64_t number)
{
    struct follower *follower = subscriber->followers;
    while (follower && follower->number != number) follower = follower->next_of;
    return follower;
}

void follower_drop(struct follower *follower)
{
    struct recording *recording = follower->recording;
    follower_free(follower);
    if (!recording) return;
    const struct recording_owner owner = recording->owner;
    bool is_left = !recording->is_recorded && !recording->followers && owner.abandoned;
    if (is_left) {
        owner.abandoned(owner.context);
        return;
    }
    recording_count_readers(recording);
    recording_free_if_done(recording);
}

static struct follower *follow(struct recording *recording, struct subscriber *subscriber,
                               uint64_t number)
{
    struct follower *follower = follower_new(subscriber, number);
    if (!follower) return NULL;
    follower->recording  = recording;
    follower->next       = recording->followers;
    recording->followers = follower;
    recording_count_readers(recording);
    return follower;
}

bool recording_follow(struct recording *recording, struct subscriber *subscriber, uint64_t number)
{
    return follow(recording, subscriber, number);
}

void follower_pump(struct follower *follower)
{
    struct recording *recording = follower->recording;
    const Pb__StreamPiece *head = recording->head;
    if (!head || recording->is_announcing) return;
    if (!follower->has_head) {
        outbox_head(follower->outbox, head->http_status, head->headers, head->n_headers);
        follower->has_head = true;
    }
    while (follower->position < recording->released && !outbox_is_full(follower->outbox)) {
        size_t from = (size_t)(follower->position - recording->dropped);
        size_t left = (size_t)(recording->released - follower->position);
        size_t size = left < OUTBOX_ITEM_SIZE ? left : OUTBOX_ITEM_SIZE;
        outbox_data(follower->outbox, str_slice(buf_str(&recording->said), from, from + size));
        follower->position += size;
    }
    if (!recording->is_over || follower->position < recording->released) return;
    outbox_end(TAKE(follower->outbox), recording->usage, recording->outcome);
    follower_free(follower);
    recording_free_if_done(recording);
}

/* --- what is over ------------------------------------------------------------------------------
 */

static void on_nothing(void *)
{
    /* All of it is in the outbox. */
}

static void send_kept(struct outbox *outbox, const Pb__KeptAnswer *kept, Pb__LlmHeader **headers,
                      size_t header_count, uint64_t sequence)
{
    const Pb__Usage none = PB__USAGE__INIT;
    str body             = {.ptr = (const char *)kept->body.data, .len = kept->body.len};
    size_t from          = frames_behind(kept->operation, body, sequence, kept->is_interrupted);
    outbox_head(outbox, kept->http_status, headers, header_count);
    outbox_data(outbox, str_slice(body, from, body.len));
    outbox_end(outbox, &none, kept->outcome);
}

static struct outbox *open_outbox(struct subscriber *subscriber, uint64_t number)
{
    const struct outbox_owner owner = {.relieved = on_nothing};
    return outbox_new(subscriber, number, &owner);
}

static void replay(struct outbox *outbox, const Pb__KeptAnswer *kept)
{
    Pb__LlmHeader replayed  = PB__LLM_HEADER__INIT;
    Pb__LlmHeader cost      = PB__LLM_HEADER__INIT;
    Pb__LlmHeader **headers = mem_new(kept->n_headers + 1, sizeof(Pb__LlmHeader *));
    for (size_t i = 0; i < kept->n_headers; i++) {
        bool is_cost = strcasecmp(kept->headers[i]->name, "Tutti-Cost-Usd") == 0;
        headers[i]   = is_cost ? &cost : kept->headers[i];
    }
    cost.name                = "Tutti-Cost-Usd";
    cost.value               = "0";
    replayed.name            = "Idempotent-Replayed";
    replayed.value           = "true";
    headers[kept->n_headers] = &replayed;
    send_kept(outbox, kept, headers, kept->n_headers + 1, 0);
    free(headers);
}

bool recordings_replay(struct subscriber *subscriber, uint64_t number, const Pb__KeptAnswer *kept)
{
    struct outbox *outbox = open_outbox(subscriber, number);
    if (!outbox) return false;
    replay(outbox, kept);
    return true;
}

void recording_replay(struct recording *recording, const Pb__KeptAnswer *kept)
{
    for (struct follower *at = recording->followers; at; at = at->next) {
        replay(TAKE(at->outbox), kept);
    }
    recording_drop(recording);
}

static enum attach_verdict attach_kept(struct recordings *recordings, struct subscriber *subscriber,
                                       uint64_t number, const Pb__LlmAttach *attach,
                                       uint64_t stream)
{
    Pb__KeptAnswer *kept = answers_find_stream(recordings->answers, stream);
    if (!kept) return ATTACH_GONE;
    enum attach_verdict verdict = ATTACH_GONE;
    if (strcmp(kept->namespace_, attach->namespace_) == 0) {
        struct outbox *outbox = open_outbox(subscriber, number);
        verdict               = outbox ? ATTACH_OK : ATTACH_FULL;
        if (outbox) {
            send_kept(outbox, kept, kept->headers, kept->n_headers, attach->sequence);
        }
    }
    pb__kept_answer__free_unpacked(kept, NULL);
    return verdict;
}

enum attach_verdict recordings_attach(struct recordings *recordings, struct subscriber *subscriber,
                                      uint64_t number, const Pb__LlmAttach *attach)
{
    uint64_t stream = 0;
    status code     = answers_read_stream(recordings->answers, str_from(attach->stream), &stream);
    if (code == STATUS_OUT_OF_RANGE) return ATTACH_ELSEWHERE;
    if (code != STATUS_OK) return ATTACH_GONE;
    str key = {.ptr = (const char *)&stream, .len = sizeof stream};

    struct recording *recording = map_get(recordings->streams, key);
    if (!recording) return attach_kept(recordings, subscriber, number, attach, stream);
    if (strcmp(recording->namespace, attach->namespace_) != 0) return ATTACH_GONE;
    struct follower *follower = follow(recording, subscriber, number);
    if (!follower) return ATTACH_FULL;
    str sent           = str_slice(buf_str(&recording->said), 0, (size_t)recording->released);
    follower->position = frames_behind(recording->operation, sent, attach->sequence, false);
    follower_pump(follower);
    return ATTACH_OK;
}
