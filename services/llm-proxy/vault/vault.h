/**
 * vault: what an upstream wants back on the next turn, where the client's protocol has no place for
 * it.
 *
 * Gemini signs the calls of functions, Claude its thoughts, and both want them back as they said
 * them; a client of another protocol sends back only that a tool was called. So such a call goes to
 * the client under an id of ours, "tc-<replica>-<number>", by which its next request finds the rest
 * here (recall.h). Scribes write (scribe.h).
 *
 * In memory: VAULT_BYTES_MAX and VAULT_HOURS at most, the oldest go first. A keeper hears of all
 * that is put in, and puts it in again after a restart (vault_shelf.h). What another llm-proxy has
 * is brought here before it is looked for (peers.h). A namespace does not find what another one has
 * put in.
 *
 * Threads: one loop.
 */
#ifndef LLM_PROXY_VAULT_VAULT_H
#define LLM_PROXY_VAULT_VAULT_H

#include "base/str.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VAULT_BYTES_MAX       = 64 << 20,
    VAULT_ENTRY_BYTES_MAX = 4 << 20, /* more is not kept, as if it had been forgotten at once */
    VAULT_ENTRIES_MAX     = 1 << 18,
    VAULT_BLOCKS_MAX      = 64, /* per call */
    VAULT_HOURS           = 24,
    VAULT_REPLICA_BITS    = 48,
    VAULT_ID_SIZE         = sizeof "tc-" + 12 + 1 + 16, /* both numbers in hex */
};

struct vault;

/** A thought that stood before the call; the upstream knows it by its signature. */
struct vault_block {
    bool is_sealed; /* `text` is data that only the upstream can read; no signature */
    bool is_early;  /* it stood before the text of the answer, too */
    str text;
    str signature;
};

enum vault_mark { VAULT_MARK_NONE, VAULT_MARK_5M, VAULT_MARK_1H };

/** What is known of a call. */
struct vault_entry {
    str provider, model; /* who has said it, and wants it back */
    str id;              /* of the call, as its upstream knows it; may be empty */
    str signature;       /* of the call itself; may be empty */
    const struct vault_block *blocks;
    uint32_t block_count;
    enum vault_mark call_mark, result_mark; /* cache markers that were seen on it: vault_mark() */
    int64_t put_ms;                         /* set by vault_put() */
};

/** `replica`: VAULT_REPLICA_BITS random bits; `last`: no number up to it is minted, so that none is
 * minted twice under a replica that outlives the process. Owned: vault_freep(). */
struct vault *vault_new(uint64_t replica, uint64_t last);

/** Hears of what is put in, and of what changes of it. */
struct vault_keeper {
    void (*put)(str namespace, str id, const struct vault_entry *entry, void *context);
    void *context;
};

/** From now on. Copied. */
void vault_keep_with(struct vault *vault, const struct vault_keeper *keeper);
void vault_freep(struct vault **vault);

/** An id that nobody has had. */
void vault_mint(struct vault *vault, char ret_id[static VAULT_ID_SIZE]);

/** Keeps a copy of `entry` under that id; does nothing if it is over VAULT_ENTRY_BYTES_MAX. */
void vault_put(struct vault *vault, str namespace, str id, const struct vault_entry *entry,
               int64_t now_ms);

/** What is kept; NULL: nothing, or another namespace's. Valid until the next vault_put(). */
const struct vault_entry *vault_get(struct vault *vault, str namespace, str id, int64_t now_ms);

/** Says whether an id has the form of those that are minted here or at another replica. */
bool vault_is_id(str id);

/** Says whether it was minted at another replica, or before our start. */
bool vault_is_foreign(const struct vault *vault, str id);

/** Remembers that the call, or its result, carried this cache marker. */
void vault_note_mark(struct vault *vault, str namespace, str id, bool is_result,
                     enum vault_mark mark, int64_t now_ms);

size_t vault_count(const struct vault *vault);
size_t vault_bytes(const struct vault *vault);

#endif
