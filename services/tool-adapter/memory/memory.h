/**
 * memory: the module behind `memory.*`: what to remember and what was meant, with embeddings made
 * on the way (memory_store.h, embedder.h).
 *
 *   remember       {namespace, key, content, metadata?, subject?, vector?, model?}   {id}
 *   remember_many  {namespace, items: [the same], document?, chunks?}                {ids, dropped}
 *   recall         {namespace, query | vector, model?, limit, min_score, filter, subject, document}
 *   get            {namespace, key}                                                  {item}
 *   delete         {namespace, keys | document | filter, subject}                    {deleted}
 *   list           {namespace, cursor, limit, filter, subject, document, prefix}     a page
 *   stats          {namespace?}                                                      {spaces}
 *   reembed        {namespace, to, label, cursor, limit, replace, give_up}           {cursor, done}
 *   get_entries, put_entries   for undo: entries with their vectors, as they were
 *
 * A namespace belongs to the namespace of the run. Its first text or vector settles its embedding
 * version; another model or length is refused, naming both. A text that is there already under its
 * key is not embedded again. While `reembed` makes another version, both are written.
 *
 * A namespace of MEMORY_SLOW_COUNT entries or more is called slow by `stats`, and once by the log.
 *
 * Settings of a connection: `embedding`, the model or route for namespaces that are new; `label`,
 * which tells two versions of one model apart.
 */
#ifndef TOOL_ADAPTER_MEMORY_MEMORY_H
#define TOOL_ADAPTER_MEMORY_MEMORY_H

#include "tool-adapter/connections/module.h"
#include "tool-adapter/embedding/embedder.h"
#include "tool-adapter/memory/memory_store.h"
#include "tool-adapter/memory/slow_spaces.h"

enum {
    MEMORY_TRIES         = 3, /* while others change the version */
    MEMORY_LIMIT_REEMBED = 200,
};

/** `context` of the struct module. */
struct memory {
    struct memory_store *store;
    struct embedder embedder;
    int64_t (*now_us)(void); /* clock_unix_us() */
    uint64_t slow_count;     /* MEMORY_SLOW_COUNT */
    struct slow_spaces slow;
};

/** Functions of a struct module. */
extern const struct module_function memory_functions[];

#endif
