/**
 * memory_store: texts with their embeddings, by key, in namespaces; on the disk of this process.
 *
 * A space is a memory namespace of one tenant. All its vectors are of one embedding version (model,
 * dimensions, label); while a second one is being made, both are written. Search is exact: the
 * query against every vector of the space, in place, up to about 100,000 of them at a time that
 * users do not notice; then a server like Qdrant is the better place.
 *
 * What it promises: what a call wrote is there after kill -9 and power loss, all of it or nothing.
 * An entry, its text and its vectors come and go together.
 *
 * Threads: any number; writers wait for each other, and those that wait share a commit. No reader
 * holds a snapshot for longer than MEMORY_READ_MS: a long one goes on at the key where it stopped,
 * and sees what was written since.
 */
#ifndef TOOL_ADAPTER_MEMORY_MEMORY_STORE_H
#define TOOL_ADAPTER_MEMORY_MEMORY_STORE_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "json/json.h"

#include <stdatomic.h>

enum {
    MEMORY_NAMESPACE_MAX  = 200,      /* bytes */
    MEMORY_KEY_MAX        = 400,      /* bytes */
    MEMORY_SUBJECT_MAX    = 200,      /* bytes */
    MEMORY_CONTENT_MAX    = 1 << 20,  /* bytes */
    MEMORY_METADATA_MAX   = 64 << 10, /* bytes, as JSON */
    MEMORY_MODEL_MAX      = 200,      /* bytes */
    MEMORY_DIMENSIONS_MAX = 16'384,
    MEMORY_ITEMS_MAX      = 256, /* of one call that writes */
    MEMORY_KEYS_MAX       = 1'000,
    MEMORY_RECALL_MAX     = 100,
    MEMORY_LIST_MAX       = 500,
    MEMORY_READ_MS        = 200,   /* a snapshot is held so long */
    MEMORY_DELETE_BATCH   = 1'000, /* entries of one transaction */
    MEMORY_EMBED_BATCH = 8 << 20,  /* bytes of texts that one call embeds anew; one more is begun */
    MEMORY_SLOW_COUNT  = 100'000,  /* entries from which on a search is slow */
};

struct memory_store;

struct memory_store_options {
    const char *path;  /* of an existing folder; NULL: in memory, for tests */
    uint64_t size_max; /* bytes */
};

/** Owned: memory_store_closep(). FAILED_PRECONDITION: another process has it; as store_open(). */
status memory_store_open(const struct memory_store_options *options,
                         struct memory_store **ret_store, struct error *reterr);
void memory_store_closep(struct memory_store **store);

/** Says whether a commit failed for good; the process must end. */
bool memory_store_is_failed(const struct memory_store *store);

/** Who looks, and where. */
struct memory_scope {
    str tenant;    /* namespace of the run or API key */
    str namespace; /* of the memory */
};

struct memory_version {
    uint32_t id; /* 0: there is none */
    uint32_t dimensions;
    uint64_t count; /* vectors */
    str model;      /* as the provider calls it */
    str label;
    str asked; /* the model or route that makes them; empty: they come with their texts */
};

enum { MEMORY_CURRENT, MEMORY_NEXT, MEMORY_VERSIONS };

struct memory_space {
    uint32_t id; /* 0: nothing was remembered there */
    uint64_t count;
    uint64_t old_versions; /* whose vectors are not deleted yet */
    struct memory_version versions[MEMORY_VERSIONS];
    str name; /* memory_spaces() only */
};

/** Texts live as long as the arena. OK without a space: `id` is 0. */
status memory_space_find(struct memory_store *store, const struct memory_scope *scope,
                         struct arena *arena, struct memory_space *ret_space, struct error *reterr);

/** All spaces of a tenant, at most MEMORY_LIST_MAX; `scope->namespace` is where it goes on. */
status memory_spaces(struct memory_store *store, const struct memory_scope *scope,
                     struct arena *arena, struct memory_space **ret_spaces, size_t *ret_count,
                     struct error *reterr);

/** How long a call may go on. */
struct memory_until {
    const atomic_bool *is_cancelled;
    int64_t deadline_ms; /* clock_mono_ms() */
};

/** --- writing ----------------------------------------------------------------------------------*/

struct memory_item {
    str key, content;
    str metadata;                    /* JSON; empty: none */
    str subject;                     /* whose it is; empty: nobody's */
    float *vectors[MEMORY_VERSIONS]; /* of length 1; NULL: `is_known`, or no such version */

    /* Set by memory_look(): the same content is there with its vector. */
    bool is_known[MEMORY_VERSIONS];
    uint8_t hash[SHA256_SIZE]; /* of the content */
};

/** What is there of the items: the space, and what need not be embedded again. */
status memory_look(struct memory_store *store, const struct memory_scope *scope,
                   struct memory_item *items, size_t count, struct arena *arena,
                   struct memory_space *ret_space, struct error *reterr);

/**
 * Writes entries. `space` is what memory_look() said; if it had no version, its first one is made
 * with model, dimensions, label and asked of `space->versions[MEMORY_CURRENT]`. ABORTED: another
 * version has come meanwhile, or what was known has gone: look again. RESOURCE_EXHAUSTED: full.
 */
status memory_write(struct memory_store *store, const struct memory_scope *scope,
                    const struct memory_space *space, const struct memory_item *items, size_t count,
                    int64_t now_us, struct error *reterr);

/** --- reading ----------------------------------------------------------------------------------*/

/** All of it lives as long as the arena. */
struct memory_entry {
    uint64_t sequence;
    str key, content, metadata, subject;
    int64_t created_us, updated_us;
    float score;
    const float *vector; /* memory_get() with vectors; NULL: none */
};

/** What was read; entries live as long as the arena. */
struct memory_page {
    struct memory_entry *entries;
    size_t count;
    bool has_more;             /* memory_list() */
    uint64_t last;             /* memory_unembedded() */
    struct memory_space space; /* memory_get(): as it was then */
};

/** Which entries; an empty member does not restrict. */
struct memory_filter {
    json metadata; /* field to value; a view nobody else uses meanwhile */
    str subject;
    str document;       /* the entry of this key, and its chunks: keys "<document>#…" */
    str prefix;         /* of the key */
    str after;          /* memory_list(): goes on behind this key */
    bool chunks_only;   /* of `document`: only keys "<document>#<n>", ... */
    uint64_t chunk_min; /* ... whose n is this or more */
    size_t limit;       /* memory_list(): so many at most */
};

/** Entries by key, those that are there, and their space. */
struct memory_keys {
    const str *items;
    size_t count;
    bool with_vectors;
};
status memory_get(struct memory_store *store, const struct memory_scope *scope,
                  const struct memory_keys *keys, struct arena *arena, struct memory_page *ret_page,
                  struct error *reterr);

/** Entries in the order of their keys, without contents; the arena holds those that are meant, how
 * many others there may be. DEADLINE_EXCEEDED, CANCELLED. */
status memory_list(struct memory_store *store, const struct memory_scope *scope,
                   const struct memory_filter *filter, const struct memory_until *until,
                   struct arena *arena, struct memory_page *ret_page, struct error *reterr);

struct memory_query {
    const float *vector; /* of length 1, of the current version's dimensions */
    size_t limit;
    float score_min;
    struct memory_filter filter; /* metadata, subject, document */
    struct memory_until until;
};

/** The nearest entries, best first. ABORTED: the version has changed meanwhile: look again.
 * DEADLINE_EXCEEDED, CANCELLED. */
status memory_recall(struct memory_store *store, const struct memory_scope *scope,
                     const struct memory_space *space, const struct memory_query *query,
                     struct arena *arena, struct memory_page *ret_page, struct error *reterr);

/** --- deleting ---------------------------------------------------------------------------------
 */

status memory_delete_keys(struct memory_store *store, const struct memory_scope *scope,
                          const str *keys, size_t count, uint64_t *ret_deleted,
                          struct error *reterr);

/** Batch by batch, in one pass over the keys, so that a crash, cancel or deadline leaves some;
 * asked again, it goes on. DEADLINE_EXCEEDED, CANCELLED. */
status memory_delete_matching(struct memory_store *store, const struct memory_scope *scope,
                              const struct memory_filter *filter, const struct memory_until *until,
                              uint64_t *ret_deleted, struct error *reterr);

/** --- another version --------------------------------------------------------------------------*/

/** Up to `limit` entries (fewer, if MEMORY_EMBED_BATCH is reached) behind `after` that have no
 * vector of the next version, with contents, in the order of their sequence. `last`: where the next
 * call goes on; 0: this was the end. */
status memory_unembedded(struct memory_store *store, const struct memory_scope *scope,
                         uint64_t after, size_t limit, struct arena *arena,
                         struct memory_page *ret_page, struct error *reterr);

/** Vectors for them; entries that have changed meanwhile are left out. `next` makes the version if
 * there is none. ABORTED: there is another one. */
status memory_embed_next(struct memory_store *store, const struct memory_scope *scope,
                         const struct memory_version *next, const struct memory_entry *entries,
                         size_t count, float *const *vectors, struct error *reterr);

/** Gives up the next version, if its id is this; its vectors are deleted as those of older ones
 * are. */
status memory_drop_next(struct memory_store *store, const struct memory_scope *scope, uint32_t id,
                        struct error *reterr);

/** If every entry has a vector of the next version, it becomes the current one; and some vectors of
 * older ones are deleted. `*ret_is_done`: nothing is left to do; `*ret_is_switched`: it is the
 * current one now. */
status memory_switch(struct memory_store *store, const struct memory_scope *scope,
                     bool *ret_is_switched, bool *ret_is_done, struct error *reterr);

#endif
