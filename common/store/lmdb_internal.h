/* What the files of the LMDB kind share. The only header of the tree that knows LMDB. */
#ifndef STORE_LMDB_INTERNAL_H
#define STORE_LMDB_INTERNAL_H

#include "store/store_internal.h"

#include <lmdb.h>

struct lmdb_store {
    struct store common; /* first */
    MDB_env *env;
    int lock_fd; /* the folder's lock; -1: none */
    MDB_dbi tables[STORE_TABLES_MAX];
};

struct lmdb_txn {
    struct txn common; /* first */
    MDB_txn *txn;      /* NULL: never begun, or ended */
};

struct lmdb_cursor {
    struct cursor common; /* first */
    MDB_cursor *cursor;
};

/* The only place where an LMDB or errno number becomes a status. */
status lmdb_status(int rc, const char *action, struct error *reterr);

/* lmdb_create.c: begins the file of a store in `folder`, unless there is one. A power cut leaves
 * none, or a whole one. UNAVAILABLE: file system. */
status lmdb_create(const char *folder, struct error *reterr);

/* lmdb_txn.c */
status lmdb_txn_start(struct txn *txn, struct error *reterr);
void lmdb_txn_stop(struct txn *txn);
status lmdb_txn_commit(struct txn *txn, struct error *reterr);
void lmdb_txn_abort(struct txn *txn);
status lmdb_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value, struct error *reterr);
status lmdb_write(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                  struct error *reterr);
status lmdb_remove(struct txn *txn, unsigned table, bytes key, struct error *reterr);
status lmdb_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr);
status lmdb_cursor_start(struct cursor *cursor, struct error *reterr);
void lmdb_cursor_stop(struct cursor *cursor);
status lmdb_seek(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                 struct error *reterr);
status lmdb_seek_before(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                        struct error *reterr);
status lmdb_step(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr);

/* lmdb_backup.c */
status lmdb_backup(struct store *store, const char *folder, const struct backup_listener *listener,
                   struct backup_info *ret_info, struct error *reterr);

#endif
