/*
 * memory_tree: a sorted table of the store in memory, which snapshots share.
 *
 * Two levels: an array of leaves, each an array of at most LEAF_MAX entries in order. Everything is
 * counted; whoever writes first copies what others hold too (copy on write), so a snapshot is one
 * reference. A table of n entries costs a writing transaction one copy of n / LEAF_MAX pointers:
 * good for tests up to a million entries, and simple.
 *
 * Reading and writing different trees that share leaves is safe from different threads.
 */
#ifndef STORE_MEMORY_TREE_INTERNAL_H
#define STORE_MEMORY_TREE_INTERNAL_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree;

/* An empty tree with one reference. */
struct tree *tree_new(void);
struct tree *tree_ref(struct tree *tree);
void tree_unref(struct tree *tree);

uint64_t tree_count(const struct tree *tree);

/* Where an entry is, or would be; valid until the tree changes. */
struct tree_place {
    size_t leaf;
    size_t index; /* in the leaf */
};

/* The place of the smallest key >= `key`; says whether it is `key` itself. */
bool tree_find(const struct tree *tree, bytes key, struct tree_place *ret_place);

/* Views of the entry at a place, valid until the entry is replaced; false behind the last one. */
bool tree_at(const struct tree *tree, struct tree_place place, bytes *ret_key, bytes *ret_value);

/* The place before; false before the first one. */
bool tree_before(const struct tree *tree, struct tree_place *place);

/* Writing; `*tree` is replaced by a copy if it is shared. Put inserts or replaces, remove wants the
 * key to be there. */
void tree_put(struct tree **tree, bytes key, bytes value);
void tree_remove(struct tree **tree, bytes key);

#endif
