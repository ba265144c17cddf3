/* The tables of a memory store, and what its files share. */
#ifndef TOOL_ADAPTER_MEMORY_MEMORY_STORE_INTERNAL_H
#define TOOL_ADAPTER_MEMORY_MEMORY_STORE_INTERNAL_H

#include "memory.pb-c.h"
#include "store/key.h"
#include "store/store.h"
#include "tool-adapter/memory/memory_change.h"
#include "tool-adapter/memory/memory_store.h"
#include "tool-adapter/memory/vector_codes.h"
#include "tool-adapter/memory/vectors.h"

/* Their order is on disk. */
enum memory_table {
    TABLE_META,    /* "spaces" -> the last id of a space, u32 */
    TABLE_SPACES,  /* tenant, namespace -> MemorySpace */
    TABLE_KEYS,    /* space u32, key -> sequence u64, SHA-256 of the content */
    TABLE_ENTRIES, /* space u32, sequence u64 -> MemoryEntry */
    TABLE_TEXTS,   /* the same -> content */
    TABLE_VECTORS, /* space u32, version u32, row u64 -> several vectors of length 1 (vector_rows.h)
                    */
};

struct memory_store {
    struct store *store;
    vector_dot_fn *dot;
    vector_dot_codes_fn *dot_codes;
    struct change_queue queue; /* memory_change.h */
};

/* A row of TABLE_KEYS. */
struct key_row {
    uint64_t sequence;
    uint8_t hash[SHA256_SIZE];
};

/** The row of a space; `*ret_space` is NULL if there is none. Owned: memory_space_row_free(). */
status memory_space_row(struct txn *txn, const struct memory_scope *scope,
                        Pb__MemorySpace **ret_space, struct error *reterr);
void memory_space_row_free(Pb__MemorySpace **space);
void memory_space_key(struct key *key, const struct memory_scope *scope);
status memory_space_of(const Pb__MemorySpace *row, struct arena *arena,
                       struct memory_space *ret_space, struct error *reterr);

void memory_put_key(struct key *key, uint32_t space, str name);
void memory_entry_key(struct key *key, uint32_t space, uint64_t sequence);
void memory_vector_key(struct key *key, uint32_t space, uint32_t version, uint64_t row);

/** NOT_FOUND if there is none. */
status memory_key_row(struct txn *txn, uint32_t space, str name, struct key_row *ret_row);
status memory_put_key_row(struct txn *txn, uint32_t space, str name, const struct key_row *row,
                          struct error *reterr);

/** NOT_FOUND; DATA_LOSS: it cannot be read. Texts live as long as the arena; the content is read if
 * it is asked for. */
status memory_entry_read(struct txn *txn, uint32_t space, uint64_t sequence, bool with_content,
                         struct arena *arena, struct memory_entry *ret_entry, struct error *reterr);

/** Deletes an entry with its text and vectors. */
status memory_entry_delete(struct change *change, str name, uint64_t sequence,
                           struct error *reterr);

/** Deletes up to `limit` rows of vectors of old versions. */
status memory_sweep(struct change *change, uint64_t limit, struct error *reterr);

/** CANCELLED or DEADLINE_EXCEEDED, once it is time; `what` took too long. */
status memory_check_until(const struct memory_until *until, const char *what, struct error *reterr);

/** Whether an entry is meant; its metadata is parsed if the filter asks for it. */
bool memory_filter_matches(const struct memory_filter *filter, const struct memory_entry *entry);
bool memory_key_matches(const struct memory_filter *filter, str name);

#endif
