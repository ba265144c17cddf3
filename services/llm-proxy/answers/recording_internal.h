/* What the files of recording.h share. */
#ifndef LLM_PROXY_ANSWERS_RECORDING_INTERNAL_H
#define LLM_PROXY_ANSWERS_RECORDING_INTERNAL_H

#include "base/map.h"
#include "llm-proxy/answers/recording.h"

enum { RECORDINGS_MAX = 20'000 };

struct recordings {
    struct loop *loop;
    struct answers *answers;
    int64_t grace_ms;
    struct map *streams;     /* number (8 bytes) -> struct recording; durable, on their way */
    struct recording *first; /* all */
    struct loop_timer timer; /* writes pieces */
    size_t size;             /* bytes of what is recorded and not over */
};

/* What each piece of a stream needs stands first. */
struct recording {
    struct recordings *all;
    struct follower *followers;
    bool is_durable;
    bool is_recorded;   /* durable, or with a claim */
    bool is_lost;       /* is not kept any more: it is too long, or the store has not taken it */
    bool is_over;       /* all of it may go out */
    bool is_announcing; /* the store does not know of it yet: nothing goes out */
    bool is_dead;       /* freed by the last word of the store */
    unsigned awaited;   /* words of the store */
    Pb__LlmOperation operation;
    struct recording_owner owner; /* zeroed: has let go */
    struct answers_claim claim;
    uint64_t number;
    char stream[ANSWERS_STREAM_SIZE];
    Pb__StreamPiece *head; /* of what is recorded, once it is there; without frames; owned */
    char *namespace;       /* owned */

    /* Positions count bytes from the beginning of the answer. */
    struct buf said;   /* from `dropped` on */
    uint64_t dropped;  /* all readers have what was in front */
    uint64_t released; /* up to here it may go out */
    uint64_t written;  /* up to here it was handed to the store, in that many pieces */
    uint64_t pieces;
    uint64_t frames; /* the sequence of the last one */

    Pb__Usage *usage; /* at the end; owned */
    const char *outcome;
    struct loop_timer grace;
    struct recording *previous, *next;
};

struct follower {
    struct recording *recording;
    struct subscriber *subscriber;
    struct outbox *outbox; /* NULL: it has all */
    uint64_t number;
    uint64_t position;
    bool has_head;
    struct follower *next;                  /* of the recording */
    struct follower *previous_of, *next_of; /* of the subscriber */
};

/* Gives it what it may have and does not have yet; it may be freed by that, and the recording. */
void follower_pump(struct follower *follower);

/* The same for all. */
void recording_pump(struct recording *recording);

/* A reader's outbox is not full any more. */
void recording_go_on(struct recording *recording, struct follower *follower);

/* Nobody needs it any more. */
void recording_free_if_done(struct recording *recording);

/* The readers have changed. */
void recording_count_readers(struct recording *recording);

#endif
