#include "tool-adapter/files/file_desk.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

struct file_desk {
    struct file_desk_options options;
    struct rpc_client *scheduler;   /* NULL: nobody can be asked */
    size_t held;                    /* bytes */
    struct file_room *first, *last; /* who waits */
};

struct file_question {
    struct file_desk *desk;
    file_answer_fn *use; /* NULL: nobody wants to know */
    void *context;
    struct rpc_answer *answer; /* owned */
    uint64_t call;
};

struct file_desk *file_desk_new(const struct file_desk_options *options)
{
    struct file_desk *desk = mem_new(1, sizeof *desk);
    desk->options          = *options;
    return desk;
}

void file_desk_open(struct file_desk *desk, struct rpc_client *scheduler)
{
    desk->scheduler = scheduler;
}

void file_desk_freep(struct file_desk **ref)
{
    free(*ref);
    *ref = NULL;
}

const struct file_desk_options *file_desk_options_of(const struct file_desk *desk)
{
    return &desk->options;
}

/* --- questions ---------------------------------------------------------------------------------
 */

static void on_loop(void *context)
{
    struct file_question *question = context;
    file_answer_fn *use            = question->use;
    struct rpc_answer *answer      = question->answer;
    void *whose                    = question->context;
    free(question);
    if (use) use(answer, whose);
    rpc_answer_free(answer);
}

/* On a thread of the client's. */
static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct file_question *question = context;
    question->answer               = rpc_answer_keep(answer);
    if (loop_post(question->desk->options.loop, on_loop, question) == STATUS_OK) return;
    rpc_answer_free(question->answer); /* 65,536 posts wait: the loop is stuck, and so are we */
    free(question);
}

status file_desk_ask(struct file_desk *desk, struct rpc_request *request, int64_t until_ms,
                     file_answer_fn *use, void *context, struct file_question **ret_question,
                     struct error *reterr)
{
    int64_t left_ms = until_ms - clock_mono_ms();
    if (!desk->scheduler) return fail(reterr, STATUS_UNAVAILABLE, "the scheduler is not there");
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    struct file_question *question = mem_new(1, sizeof *question);
    *question               = (struct file_question){.desk = desk, .use = use, .context = context};
    request->service        = &pb__files__descriptor;
    request->partition      = 0; /* of what belongs to no run */
    request->timeout_ms     = left_ms < FILE_DESK_ASK_MS ? left_ms : FILE_DESK_ASK_MS;
    request->wait_for_ready = true;
    request->done           = on_answer;
    request->context        = question;
    status code             = rpc_client_call(desk->scheduler, request, &question->call, reterr);
    if (code != STATUS_OK) {
        free(question);
        return code;
    }
    *ret_question = question;
    return STATUS_OK;
}

void file_question_forget(struct file_question *question)
{
    if (!question) return;
    question->use = NULL;
    rpc_client_cancel(question->desk->scheduler, question->call);
}

/* --- room --------------------------------------------------------------------------------------
 */

bool file_room_take(struct file_desk *desk, struct file_room *room, size_t size)
{
    ASSERT(size <= FILE_DESK_HELD_MAX);
    ASSERT(room->size == 0);
    room->size       = size;
    room->next       = NULL;
    room->is_waiting = desk->first || desk->held + size > FILE_DESK_HELD_MAX;
    if (!room->is_waiting) {
        desk->held += size;
        return true;
    }
    *(desk->last ? &desk->last->next : &desk->first) = room;
    desk->last                                       = room;
    return false;
}

static void unlink_room(struct file_desk *desk, struct file_room *room)
{
    struct file_room *before = NULL;
    for (struct file_room *one = desk->first; one != room; one = one->next) before = one;
    *(before ? &before->next : &desk->first) = room->next;
    if (desk->last == room) desk->last = before;
    room->is_waiting = false;
}

/* In the order they came: a large one is not overtaken for ever. */
static void grant(struct file_desk *desk)
{
    while (desk->first && desk->held + desk->first->size <= FILE_DESK_HELD_MAX) {
        struct file_room *room = desk->first;
        unlink_room(desk, room);
        desk->held += room->size;
        room->granted(room->context);
    }
}

void file_room_leave(struct file_desk *desk, struct file_room *room)
{
    if (room->size == 0) return;
    if (room->is_waiting) {
        unlink_room(desk, room);
    } else {
        desk->held -= room->size;
    }
    room->size = 0;
    grant(desk);
}
