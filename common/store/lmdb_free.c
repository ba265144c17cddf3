/* Pages of LMDB's file that are free, or will be when nobody reads the state before. */
#include "base/assert.h"
#include "store/lmdb_internal.h"

#include <string.h>

enum { FREE_TABLE = 0 }; /* liblmdb 0.9.24, mdb_stat.c: the table of free pages is number 0 */

status free_pages_count(MDB_txn *txn, const struct free_pages *which, size_t *ret_pages,
                        struct error *reterr)
{
    MDB_cursor *cursor = NULL;
    TRY(lmdb_status(mdb_cursor_open(txn, FREE_TABLE, &cursor), "count free pages", reterr));

    /* The key is the transaction's number; the value a count and as many page numbers. */
    size_t pages  = 0;
    size_t commit = which->from;
    MDB_val key   = {.mv_size = sizeof commit, .mv_data = &commit};
    MDB_val value = {};
    int rc        = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == MDB_SUCCESS && pages < which->enough) {
        size_t count = 0;
        if (key.mv_size == sizeof commit) memcpy(&commit, key.mv_data, sizeof commit);
        if (commit >= which->until) break;
        if (value.mv_size >= sizeof count) memcpy(&count, value.mv_data, sizeof count);
        pages += count;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        return lmdb_status(rc, "count free pages", reterr);
    }
    *ret_pages = pages;
    return STATUS_OK;
}
