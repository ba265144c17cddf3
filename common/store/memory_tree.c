#include "store/memory_tree_internal.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LEAF_MAX = 64 /* entries */ };

struct entry {
    atomic_uint refs;
    size_t key_len, value_len;
    uint8_t data[]; /* key, value */
};

struct leaf {
    atomic_uint refs;
    size_t count; /* never 0 in a tree */
    struct entry *entries[LEAF_MAX];
};

struct tree {
    atomic_uint refs;
    uint64_t entry_count;
    size_t leaf_count;
    size_t leaf_capacity;
    struct leaf **leaves;
};

/* --- Counting --------------------------------------------------------------------------------- */

static struct entry *entry_new(bytes key, bytes value)
{
    struct entry *entry = mem_new(1, sizeof *entry + key.len + value.len);
    atomic_init(&entry->refs, 1);
    entry->key_len   = key.len;
    entry->value_len = value.len;
    memcpy(entry->data, key.ptr, key.len);
    if (value.len > 0) memcpy(entry->data + key.len, value.ptr, value.len);
    return entry;
}

static void entry_unref(struct entry *entry)
{
    if (atomic_fetch_sub(&entry->refs, 1) == 1) free(entry);
}

static struct leaf *leaf_new(void)
{
    struct leaf *leaf = mem_new(1, sizeof *leaf);
    atomic_init(&leaf->refs, 1);
    return leaf;
}

static void leaf_unref(struct leaf *leaf)
{
    if (atomic_fetch_sub(&leaf->refs, 1) != 1) return;
    for (size_t i = 0; i < leaf->count; i++) entry_unref(leaf->entries[i]);
    free(leaf);
}

struct tree *tree_new(void)
{
    struct tree *tree = mem_new(1, sizeof *tree);
    atomic_init(&tree->refs, 1);
    return tree;
}

struct tree *tree_ref(struct tree *tree)
{
    atomic_fetch_add(&tree->refs, 1);
    return tree;
}

void tree_unref(struct tree *tree)
{
    if (!tree || atomic_fetch_sub(&tree->refs, 1) != 1) return;
    for (size_t i = 0; i < tree->leaf_count; i++) leaf_unref(tree->leaves[i]);
    free(tree->leaves);
    free(tree);
}

/* --- Finding ---------------------------------------------------------------------------------- */

static int compare(const struct entry *entry, bytes key)
{
    size_t shorter = entry->key_len < key.len ? entry->key_len : key.len;
    int order      = shorter == 0 ? 0 : memcmp(entry->data, key.ptr, shorter);
    if (order != 0) return order;
    return entry->key_len < key.len ? -1 : entry->key_len > key.len;
}

static size_t find_in_leaf(const struct leaf *leaf, bytes key)
{
    size_t low  = 0;
    size_t high = leaf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(leaf->entries[middle], key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The first leaf whose greatest key is >= `key`; `leaf_count` if there is none. */
static size_t find_leaf(const struct tree *tree, bytes key)
{
    size_t low  = 0;
    size_t high = tree->leaf_count;
    while (low < high) {
        size_t middle           = low + (high - low) / 2;
        const struct leaf *leaf = tree->leaves[middle];
        if (compare(leaf->entries[leaf->count - 1], key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint64_t tree_count(const struct tree *tree)
{
    return tree->entry_count;
}

bool tree_find(const struct tree *tree, bytes key, struct tree_place *ret_place)
{
    *ret_place = (struct tree_place){.leaf = find_leaf(tree, key)};
    if (ret_place->leaf == tree->leaf_count) return false;
    const struct leaf *leaf = tree->leaves[ret_place->leaf];
    ret_place->index        = find_in_leaf(leaf, key);
    return compare(leaf->entries[ret_place->index], key) == 0;
}

bool tree_at(const struct tree *tree, struct tree_place place, bytes *ret_key, bytes *ret_value)
{
    if (place.leaf == tree->leaf_count) return false;
    const struct leaf *leaf = tree->leaves[place.leaf];
    ASSERT(place.index < leaf->count);
    const struct entry *entry = leaf->entries[place.index];
    *ret_key                  = (bytes){.ptr = entry->data, .len = entry->key_len};
    *ret_value = (bytes){.ptr = entry->data + entry->key_len, .len = entry->value_len};
    return true;
}

bool tree_before(const struct tree *tree, struct tree_place *place)
{
    if (place->index > 0) {
        place->index--;
        return true;
    }
    if (place->leaf == 0) return false;
    place->leaf--;
    place->index = tree->leaves[place->leaf]->count - 1;
    return true;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Makes `*tree` ours alone: a count of one can only be our own, and nobody else can raise it. */
static void own_tree(struct tree **tree)
{
    const struct tree *shared = *tree;
    if (atomic_load(&shared->refs) == 1) return;
    struct tree *copy   = tree_new();
    copy->entry_count   = shared->entry_count;
    copy->leaf_count    = shared->leaf_count;
    copy->leaf_capacity = shared->leaf_count;
    copy->leaves        = mem_new(shared->leaf_count + 1, sizeof *copy->leaves);
    for (size_t i = 0; i < shared->leaf_count; i++) {
        copy->leaves[i] = shared->leaves[i];
        atomic_fetch_add(&copy->leaves[i]->refs, 1);
    }
    tree_unref(*tree);
    *tree = copy;
}

static struct leaf *own_leaf(struct tree *tree, size_t index)
{
    struct leaf *shared = tree->leaves[index];
    if (atomic_load(&shared->refs) == 1) return shared;
    struct leaf *copy = leaf_new();
    copy->count       = shared->count;
    for (size_t i = 0; i < shared->count; i++) {
        copy->entries[i] = shared->entries[i];
        atomic_fetch_add(&copy->entries[i]->refs, 1);
    }
    leaf_unref(shared);
    tree->leaves[index] = copy;
    return copy;
}

static struct leaf *add_leaf(struct tree *tree, size_t index)
{
    if (tree->leaf_count == tree->leaf_capacity) {
        tree->leaf_capacity = 2 * tree->leaf_capacity + 1;
        tree->leaves        = mem_resize(tree->leaves, tree->leaf_capacity, sizeof *tree->leaves);
    }
    memmove(tree->leaves + index + 1, tree->leaves + index,
            (tree->leaf_count - index) * sizeof *tree->leaves);
    tree->leaf_count++;
    tree->leaves[index] = leaf_new();
    return tree->leaves[index];
}

/* Makes room in a full leaf for an entry at `place`. Halves it; but appending at the very end opens
 * a new leaf, so that keys that only grow fill theirs. */
static struct tree_place split(struct tree *tree, struct tree_place place)
{
    struct leaf *full  = tree->leaves[place.leaf];
    struct leaf *right = add_leaf(tree, place.leaf + 1);
    size_t keep        = place.index == LEAF_MAX ? LEAF_MAX : LEAF_MAX / 2;
    right->count       = full->count - keep;
    memcpy(right->entries, full->entries + keep, right->count * sizeof(struct entry *));
    full->count = keep;
    if (place.index < keep || (place.index == keep && keep < LEAF_MAX)) return place;
    return (struct tree_place){.leaf = place.leaf + 1, .index = place.index - keep};
}

static void insert(struct tree *tree, struct tree_place place, struct entry *entry)
{
    if (tree->leaf_count == 0) {
        (void)add_leaf(tree, 0);
    } else if (place.leaf == tree->leaf_count) { /* behind everything */
        place.leaf--;
        place.index = tree->leaves[place.leaf]->count;
    }
    struct leaf *leaf = own_leaf(tree, place.leaf);
    if (leaf->count == LEAF_MAX) {
        place = split(tree, place);
        leaf  = tree->leaves[place.leaf];
    }
    memmove(leaf->entries + place.index + 1, leaf->entries + place.index,
            (leaf->count - place.index) * sizeof(struct entry *));
    leaf->entries[place.index] = entry;
    leaf->count++;
    tree->entry_count++;
}

void tree_put(struct tree **tree, bytes key, bytes value)
{
    struct entry *entry = entry_new(key, value); /* first: `value` may be a view of the old entry */
    own_tree(tree);
    struct tree_place place;
    if (!tree_find(*tree, key, &place)) {
        insert(*tree, place, entry);
        return;
    }
    struct leaf *leaf = own_leaf(*tree, place.leaf);
    entry_unref(leaf->entries[place.index]);
    leaf->entries[place.index] = entry;
}

void tree_remove(struct tree **tree, bytes key)
{
    own_tree(tree);
    struct tree_place place;
    bool is_there = tree_find(*tree, key, &place);
    ASSERT(is_there);
    struct leaf *leaf = own_leaf(*tree, place.leaf);
    entry_unref(leaf->entries[place.index]);
    leaf->count--;
    memmove(leaf->entries + place.index, leaf->entries + place.index + 1,
            (leaf->count - place.index) * sizeof(struct entry *));
    (*tree)->entry_count--;
    if (leaf->count > 0) return;

    leaf_unref(leaf);
    (*tree)->leaf_count--;
    memmove((*tree)->leaves + place.leaf, (*tree)->leaves + place.leaf + 1,
            ((*tree)->leaf_count - place.leaf) * sizeof *(*tree)->leaves);
}
