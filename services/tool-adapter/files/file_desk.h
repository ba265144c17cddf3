/**
 * file_desk: where the tool-adapter asks for stored files: the store of the scheduler's partition 0
 * (proto/file.proto), asked from the loop and answered on it, and how many bytes of files calls may
 * hold in memory at a time.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_FILES_FILE_DESK_H
#define TOOL_ADAPTER_FILES_FILE_DESK_H

#include "file.pb-c.h"
#include "loop/loop.h"
#include "media/media_type.h"
#include "rpc/rpc_client.h"

enum {
    FILE_DESK_PIECE_SIZE = 1 << 20,   /* bytes that travel together, as the scheduler keeps them */
    FILE_DESK_FILE_MAX   = 32 << 20,  /* bytes of one file, and of all that one call uses */
    FILE_DESK_HELD_MAX   = 256 << 20, /* bytes of all calls; others wait for room */
    FILE_DESK_ASK_MS     = 30'000,    /* of a question */
};

struct file_desk;
struct file_question;

struct file_desk_options {
    struct loop *loop;         /* borrowed, as all of it */
    struct media_types *types; /* of what is kept */
    uint64_t size_max;         /* bytes of a file that is kept */
};

/** Owned: file_desk_freep(). Nobody can be asked before file_desk_open(). */
struct file_desk *file_desk_new(const struct file_desk_options *options);

/** The scheduler's client, which knows the service Files and is closed before the desk is freed:
 * what that leaves on the loop must have run. */
void file_desk_open(struct file_desk *desk, struct rpc_client *scheduler);
void file_desk_freep(struct file_desk **desk);

const struct file_desk_options *file_desk_options_of(const struct file_desk *desk);

/** Who looks at files. NULL: there is no desk. */
static inline struct media_types *file_desk_types(const struct file_desk *desk)
{
    return desk ? file_desk_options_of(desk)->types : NULL;
}

/** On the loop, once; `answer` is a view. */
typedef void file_answer_fn(const struct rpc_answer *answer, void *context);

/** Asks the service Files: set `method`, `message`, and `request_id` if there is one. By
 * `until_ms` (clock_mono_ms()) there is an answer. UNAVAILABLE, DEADLINE_EXCEEDED: `use` does not
 * come then. */
status file_desk_ask(struct file_desk *desk, struct rpc_request *request, int64_t until_ms,
                     file_answer_fn *use, void *context, struct file_question **ret_question,
                     struct error *reterr);

/** Nobody wants to know any more. */
void file_question_forget(struct file_question *question);

/* --- room --------------------------------------------------------------------------------------
 */

/** Who holds bytes, or waits for room. Zeroed but for `granted` and `context`. */
struct file_room {
    size_t size; /* bytes that it holds, or wants */
    bool is_waiting;
    struct file_room *next;
    void (*granted)(void *context); /* from inside file_room_leave() of somebody else */
    void *context;
};

/** True: it has `size` bytes. False: it waits for those before it, and `granted` says when. */
bool file_room_take(struct file_desk *desk, struct file_room *room, size_t size);
/** Gives back what it holds, or waits no more. Does nothing for who has none. */
void file_room_leave(struct file_desk *desk, struct file_room *room);

#endif
