#include "llm-proxy/money/usage_journal.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fleet/usage_sum.h"
#include "llm-proxy/money/usage_chapter.h"
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US INT64_C(86'400'000'000)

enum {
    LABELS_MAX     = 48,  /* of a client, and of the run that it names */
    LABEL_TEXT_MAX = 600, /* bytes of KEY=VALUE */
    FILES_MAX      = 100'000,
};

struct usage_journal {
    char *folder; /* NULL: none */
    int lock;     /* -1: none */
    char source[USAGE_SOURCE_LEN + 1];
    uint64_t number;                    /* of the last chapter that was begun */
    struct usage_chapter *first, *last; /* in the order they are reported */
    bool is_open;                       /* `last` grows */
    bool has_failed;                    /* as was logged */
    _Atomic size_t size;                /* bytes of all files */
    Pb__UsageReport report;             /* of `first`, as it was handed out */
};

/* --- chapters ----------------------------------------------------------------------------------
 */

static void append(struct usage_journal *journal, struct usage_chapter *chapter)
{
    if (journal->last) {
        journal->last->next = chapter;
    } else {
        journal->first = chapter;
    }
    journal->last = chapter;
}

/* A file has another size than before. */
static void note_size(struct usage_journal *journal, size_t before, size_t after)
{
    atomic_fetch_add_explicit(&journal->size, after - before, memory_order_relaxed); /* wraps */
}

static void write_last(struct usage_journal *journal)
{
    struct error error = {};
    if (!usage_chapter_is_unwritten(journal->last)) return; /* that says nothing of the disk */
    size_t before = journal->last->size;
    bool is_kept  = usage_chapter_write(journal->last, &error);
    note_size(journal, before, journal->last->size);
    if (!is_kept && !journal->has_failed) {
        log_write(LOG_ERROR, "what calls use would be lost if this process died",
                  LOG_TEXT_OF("error", error.text));
    }
    journal->has_failed = !is_kept;
}

static void close_last(struct usage_journal *journal)
{
    if (!journal->is_open) return;
    write_last(journal);
    size_t before = journal->last->size;
    usage_chapter_close(journal->last);
    note_size(journal, before, journal->last->size);
    journal->is_open = false;
}

static struct usage_chapter *open_chapter(struct usage_journal *journal)
{
    if (journal->is_open) return journal->last;
    append(journal, usage_chapter_new(journal->folder, journal->source, ++journal->number));
    journal->is_open = true;
    return journal->last;
}

/* --- what others have left ---------------------------------------------------------------------
 */

static int by_name(const void *left, const void *right)
{
    const struct usage_chapter *a = *(struct usage_chapter *const *)left;
    const struct usage_chapter *b = *(struct usage_chapter *const *)right;
    return strcmp(a->path, b->path);
}

static status load(struct usage_journal *journal, struct usage_chapter **found, size_t count,
                   struct error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        TRY(usage_chapter_load(found[i], reterr));
        if (found[i]->count > 0 || found[i]->end_count > 0) {
            note_size(journal, 0, found[i]->size);
            append(journal, TAKE(found[i]));
            continue;
        }
        usage_chapter_remove(found[i]); /* it died with the first call */
        usage_chapter_free(TAKE(found[i]));
    }
    return STATUS_OK;
}

static status find_left(struct usage_journal *journal, struct error *reterr)
{
    struct usage_chapter **found = NULL;
    size_t count                 = 0;
    DIR *folder                  = opendir(journal->folder);
    if (!folder) return fail(reterr, STATUS_UNAVAILABLE, "cannot read %s: %m", journal->folder);
    for (struct dirent *entry; count < FILES_MAX && (entry = readdir(folder));) { // NOLINT
        char source[USAGE_SOURCE_LEN + 1];
        uint64_t number = 0;
        if (!usage_chapter_name_read(entry->d_name, source, &number)) continue;
        if ((count & (count + 1)) == 0) {
            found = mem_resize(found, 2 * count + 2, sizeof(struct usage_chapter *));
        }
        found[count++] = usage_chapter_new(journal->folder, source, number);
    }
    (void)closedir(folder);
    if (count > 0) qsort(found, count, sizeof(struct usage_chapter *), by_name);
    status code = load(journal, found, count, reterr);
    for (size_t i = 0; i < count; i++) usage_chapter_free(found[i]);
    free(found);
    return code;
}

status usage_journal_open(const char *folder, struct usage_journal **ret_journal,
                          struct error *reterr)
{
    CLEANUP(usage_journal_freep) struct usage_journal *journal = mem_new(1, sizeof *journal);
    uint8_t source[USAGE_SOURCE_LEN / 2];
    random_bytes(source, sizeof source);
    hex_encode(source, sizeof source, journal->source);
    journal->lock = -1;
    if (folder) {
        journal->folder = mem_dup(folder, strlen(folder));
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return fail(reterr, STATUS_UNAVAILABLE, "cannot make %s: %m", folder);
        }
        TRY(disk_lock(folder, &journal->lock, reterr));
        TRY(find_left(journal, reterr));
    }
    *ret_journal = TAKE(journal);
    return STATUS_OK;
}

void usage_journal_freep(struct usage_journal **ref)
{
    struct usage_journal *journal = *ref;
    if (!journal) return;
    for (struct usage_chapter *next = NULL; journal->first; journal->first = next) {
        next = journal->first->next;
        usage_chapter_free(journal->first);
    }
    if (journal->lock >= 0) (void)close(journal->lock);
    free(journal->folder);
    free(journal);
    *ref = NULL;
}

/* --- calls -------------------------------------------------------------------------------------
 */

static const char *shown(const char *name)
{
    return strlen(name) <= USAGE_NAME_MAX ? name : "(long name)";
}

static void begin_row(Pb__UsageRecord *row, const struct usage_owner *owner,
                      Pb__UsageCounters *counters, int64_t now_us)
{
    *row            = (Pb__UsageRecord)PB__USAGE_RECORD__INIT;
    row->day        = (uint32_t)(now_us / DAY_US);
    row->namespace_ = shown(owner->namespace_);
    row->counters   = counters;
}

static void add_label(struct usage_chapter *chapter, const struct usage_owner *owner,
                      const Pb__Label *label, Pb__UsageCounters *counters, int64_t now_us)
{
    char text[LABEL_TEXT_MAX];
    Pb__UsageRecord row;
    Pb__UsageRecord *list[] = {&row};
    int size                = snprintf(text, sizeof text, "%s=%s", label->key, label->value);
    if (size >= LABEL_TEXT_MAX) return; /* longer than labels are */
    begin_row(&row, owner, counters, now_us);
    row.label = text;
    usage_chapter_add(chapter, list, ARRAY_LEN(list));
}

/* What it has used, and once more for each of its labels. */
static void add_usage(struct usage_chapter *chapter, const struct usage_owner *owner,
                      const Pb__Usage *used, Pb__UsageCounters *counters, int64_t now_us)
{
    Pb__UsageRecord row;
    Pb__UsageRecord *list[] = {&row};
    bool is_none            = usage_counters_are_zero(counters);
    begin_row(&row, owner, counters, now_us);
    row.key      = shown(owner->key);
    row.provider = shown(used->provider);
    row.model    = shown(used->model);
    if (owner->workflow) row.workflow = shown(owner->workflow);
    if (owner->call) {
        row.run         = owner->run;
        row.call        = owner->call;
        row.cost_source = used->cost_source;
    }
    usage_chapter_add(chapter, list, ARRAY_LEN(list));
    for (size_t i = 0; i < owner->label_count && i < LABELS_MAX && !is_none; i++) {
        add_label(chapter, owner, owner->labels[i], counters, now_us);
    }
}

void usage_journal_add(struct usage_journal *journal, const struct usage_owner *owner,
                       const Pb__Usage *used, int64_t now_us)
{
    Pb__UsageCounters counters;
    usage_counters_fill(used, &counters);
    bool is_counted = owner->call || !usage_counters_are_zero(&counters);
    if (!is_counted && owner->end_count == 0) return;
    struct usage_chapter *chapter = open_chapter(journal);
    if (is_counted) add_usage(chapter, owner, used, &counters, now_us);
    for (size_t i = 0; i < owner->end_count; i++) usage_chapter_end(chapter, owner->ends[i]);
    bool is_full =
        chapter->count >= USAGE_CHAPTER_ROWS_MAX || chapter->end_count >= USAGE_CHAPTER_ENDS_MAX;
    if (is_full) close_last(journal);
}

void usage_journal_write(struct usage_journal *journal)
{
    if (!journal->is_open) return;
    write_last(journal);
    if (journal->last->size >= USAGE_CHAPTER_SIZE_MAX) close_last(journal);
}

/* --- reports -----------------------------------------------------------------------------------
 */

const Pb__UsageReport *usage_journal_next(struct usage_journal *journal)
{
    const struct usage_chapter *chapter = journal->first;
    if (!chapter) return NULL;
    if (chapter == journal->last) close_last(journal);
    journal->report        = (Pb__UsageReport)PB__USAGE_REPORT__INIT;
    journal->report.source = chapter->source;
    journal->report.number = chapter->number;
    journal->report.rows   = chapter->rows;
    journal->report.n_rows = chapter->count;
    journal->report.ends   = chapter->ends;
    journal->report.n_ends = chapter->end_count;
    return &journal->report;
}

void usage_journal_counted(struct usage_journal *journal)
{
    struct usage_chapter *chapter = journal->first;
    ASSERT(chapter && chapter->number == journal->report.number);
    journal->first = chapter->next;
    if (!journal->first) journal->last = NULL;
    usage_chapter_remove(chapter);
    note_size(journal, chapter->size, 0);
    usage_chapter_free(chapter);
}

size_t usage_journal_size(const struct usage_journal *journal)
{
    return atomic_load_explicit(&journal->size, memory_order_relaxed);
}

bool usage_journal_is_pending(const struct usage_journal *journal)
{
    return journal->first != NULL;
}

bool usage_journal_is_kept(const struct usage_journal *journal)
{
    return journal->folder != NULL;
}

bool usage_journal_is_left(const struct usage_journal *journal)
{
    return journal->first && (journal->first != journal->last || !journal->is_open);
}
