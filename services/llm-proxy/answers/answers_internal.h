/* What the files of answers.h share. */
#ifndef LLM_PROXY_ANSWERS_ANSWERS_INTERNAL_H
#define LLM_PROXY_ANSWERS_ANSWERS_INTERNAL_H

#include "base/map.h"
#include "llm-proxy/answers/answers.h"
#include "llm-proxy/answers/shelf.h"
#include "store/store.h"

#include <pthread.h>

enum {
    TABLE_META,    /* "replica" -> name; "instance" -> of the process, and of those before it, the
                    * newest first (8 bytes each); "folder" -> where it lies (answers_place.c) */
    TABLE_TAIL,    /* stream, piece (8 bytes each) -> StreamPiece */
    TABLE_ANSWERS, /* number (8 bytes) -> KeptAnswer */
    TABLE_NAMES,   /* name (32 bytes) -> number, expires_us, request */
    TABLE_ENDS,    /* expires_us, number -> bytes of the answer, name (32 bytes, or none) */
    TABLE_SHELVES, /* these two: shelf.c */
    TABLE_SHELF_ORDER,
    TABLE_COUNT,
};

enum {
    NUMBER_SIZE = 8,                                       /* bytes */
    PAIR_SIZE   = 2 * NUMBER_SIZE,                         /* of a key */
    NAME_ROW    = NUMBER_SIZE + NUMBER_SIZE + SHA256_SIZE, /* of a value */
};

enum writing_kind { WRITING_ANSWER, WRITING_PIECE, WRITING_FORGET, WRITING_SHELF };

/* What waits for the thread, and what it is done with. */
struct writing {
    enum writing_kind kind;
    uint64_t number, piece;
    int64_t expires_us;
    bool has_name;
    uint8_t name[SHA256_SIZE], request[SHA256_SIZE];
    enum shelf shelf; /* this and the next two: of WRITING_SHELF */
    uint8_t key[SHELF_KEY_MAX];
    size_t key_len;
    struct buf value; /* packed */
    answers_done *done;
    void *context;
    bool is_kept;
    struct writing *next;
};

struct writings {
    struct writing *first, *last;
};

struct answers {
    struct loop *loop;
    int64_t (*unix_us)(void);
    void (*print_interrupted)(Pb__LlmOperation operation, struct buf *out);
    struct store *store;
    struct txn *reader; /* of the loop's thread, reset between two uses; NULL: not yet */
    char replica[ANSWERS_REPLICA_SIZE];
    uint64_t instance, dead[ANSWERS_DEAD_MAX + 1];
    uint64_t total_max; /* bytes of all answers */
    bool has_shelves;
    uint64_t last_number;
    struct map *claims;   /* name -> struct answers_claim */
    struct map *drops;    /* shelf and key -> struct writing: rows that are about to go */
    size_t shelf_waiting; /* bytes of rows that are on their way to the disk */
    size_t waiting;
    struct loop_notice notice; /* `done` has something */

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* of the next four */
    pthread_cond_t wanted;
    bool is_stopping;
    struct writings to_do, done;

    uint64_t used; /* bytes of all answers; the thread's, as the next */
    uint64_t shelf_used[SHELF_COUNT];
    bool is_full; /* the disk was, at the last commit; likewise */
};

/* Its name is read, or drawn. Its instance is drawn, and written in front of those before. */
status answers_read_replica(struct answers *answers, struct error *reterr);
status answers_take_place(struct answers *answers, const char *folder, struct error *reterr);

/* The thread. */
void *answers_write_main(void *context);

/* Applies one; on the thread, or before it runs. */
status writing_apply(struct answers *answers, struct txn *txn, struct writing *writing,
                     struct error *reterr);

/* Deletes what has expired, and what is above the limit. */
status answers_sweep(struct answers *answers, struct txn *txn, struct error *reterr);

void writing_free(struct writing *writing);
struct writing *writings_take(struct writings *writings);
void writings_add(struct writings *writings, struct writing *writing);

/* An answer as it is to be written. */
struct writing *writing_of(struct answers *answers, Pb__KeptAnswer *answer);

/* The loop's transaction is ready; txn_reset() is owed. False: the store cannot be read. */
bool answers_begin_read(struct answers *answers);

/* Gives it to the thread. */
void answers_hand_over(struct answers *answers, struct writing *writing);

/* Ends the streams that the last process has left. */
status answers_recover(struct answers *answers, struct error *reterr);

/* shelf.c: what is there is counted; a row is put there, on the thread; the disk was full,
 * likewise; the loop hears of a row that is written, or never will be. */
status shelf_recover(struct answers *answers, struct error *reterr);
status shelf_apply(struct answers *answers, struct txn *txn, const struct writing *writing,
                   struct error *reterr);
status shelf_shed(struct answers *answers, struct txn *txn, struct error *reterr);
void shelf_written(struct answers *answers, const struct writing *writing);

/* Keys. */
struct pair_key {
    uint8_t raw[PAIR_SIZE];
};
struct pair_key pair_key(uint64_t first, uint64_t second);
void number_key(uint64_t number, uint8_t raw[static NUMBER_SIZE]);

static inline bytes pair_bytes(const struct pair_key *key)
{
    return (bytes){.ptr = key->raw, .len = sizeof key->raw};
}

#endif
