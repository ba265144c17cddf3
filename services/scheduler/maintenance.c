#include "scheduler/maintenance.h"

#include "base/attr.h"
#include "scheduler/backups/restore.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/tables.h"
#include "store/disk.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_WHOLE = 0, EXIT_FAULTS = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3, EXIT_FILES = 4 };
enum { FAULTS_SHOWN_MAX = 100, REPORT_SIZE_MAX = 1 << 20 /* bytes */ };

struct order {
    bool is_restore;
    bool is_json;
    const char *folder;
    const char *to;
    const char *archive;  /* NULL: none */
    const char *until;    /* NULL: to its end */
    const char *erasures; /* NULL: beside the backup */
};

struct report {
    const struct order *order;
    const struct backup_manifest *manifest; /* NULL: of data, which has none */
    struct proof proof;
    bool has_proof;
    struct restored restored;
    json faults; /* array of texts, the first FAULTS_SHOWN_MAX */
};

/* --- what is told ------------------------------------------------------------------------------
 */

static void on_fault(const char *text, void *context)
{
    struct report *report = context;
    if (json_count(report->faults) >= FAULTS_SHOWN_MAX) return;
    json_array_push(&report->faults, json_text_from(text));
    if (!report->order->is_json) (void)printf("  %s\n", text);
}

static void print_json(const struct report *report)
{
    json value = json_object_new(16);
    json_object_put_text(&value, "folder", json_text_from(report->order->folder));
    if (report->manifest) {
        char created[TIME_TEXT_SIZE];
        time_format(report->manifest->created_us, created);
        json_object_put_text(&value, "name", json_text_from(report->manifest->name));
        json_object_put_text(&value, "created_at", json_text_from(created));
        json_object_put_text(&value, "partitions", json_int(report->manifest->count));
    }
    if (report->order->is_restore) {
        char until[TIME_TEXT_SIZE];
        time_format(report->restored.until_us, until);
        json_object_put_text(&value, "restored_to", json_text_from(report->order->to));
        json_object_put_text(&value, "restored_until", json_text_from(until));
        json_object_put_text(&value, "erasures_again",
                             json_int((int64_t)report->restored.erasures));
        json_object_put_text(&value, "partitions_without_erasures",
                             json_int(report->restored.unlisted));
        json_object_put_text(&value, "replayed_commits",
                             json_int((int64_t)report->restored.replayed.commits));
    }
    if (report->has_proof) {
        const struct proof *proof = &report->proof;
        json_object_put_text(&value, "runs", json_int((int64_t)proof->runs));
        json_object_put_text(&value, "events", json_int((int64_t)proof->events));
        json_object_put_text(&value, "open_jobs", json_int((int64_t)proof->jobs));
        json_object_put_text(&value, "timers", json_int((int64_t)proof->timers));
        json_object_put_text(&value, "fault_count", json_int((int64_t)proof->faults));
        json_object_put_text(&value, "faults", json_ref(report->faults));
    }
    CLEANUP(buf_done) struct buf text = buf_init(REPORT_SIZE_MAX);
    if (json_print(value, JSON_COMPACT, &text)) {
        (void)printf("%.*s\n", (int)text.len, text.ptr);
    }
    json_unref(value);
}

static void print_erasures(const struct restored *restored)
{
    if (restored->erasures > 0) {
        (void)printf("%" PRIu64 " erasures of after that are done again as the scheduler starts.\n",
                     restored->erasures);
    }
    if (restored->unlisted > 0) {
        (void)printf(
            "For %u partitions no list of erasures (erasures.p0, ...) is beside the backup: "
            "what was erased since is back. Name its folder with --erasures, or erase "
            "again.\n",
            restored->unlisted);
    }
}

static void print_text(const struct report *report)
{
    const struct proof *proof = &report->proof;
    char created[TIME_TEXT_SIZE];
    if (report->manifest) time_format(report->manifest->created_us, created);
    if (report->order->is_restore) {
        char until[TIME_TEXT_SIZE];
        time_format(report->restored.until_us, until);
        (void)printf("restored %s of %s to %s\n", report->manifest->name, created,
                     report->order->to);
        if (report->order->archive) {
            (void)printf("%" PRIu64 " commits of the archive were done again; %" PRIu64
                         " runs, %" PRIu64 " events: all fits together\n",
                         report->restored.replayed.commits, proof->runs, proof->events);
        }
        (void)printf("What was acknowledged after %s is lost.\n", until);
        print_erasures(&report->restored);
        return;
    }
    if (report->manifest) {
        (void)printf("%s of %s, made by %s, partitions: %u, %" PRIu64 " bytes\n",
                     report->manifest->name, created, report->manifest->version,
                     report->manifest->count, backup_manifest_size_bytes(report->manifest));
    }
    (void)printf("%" PRIu64 " runs, %" PRIu64 " events, %" PRIu64 " open jobs, %" PRIu64
                 " timers: ",
                 proof->runs, proof->events, proof->jobs, proof->timers);
    if (proof->faults == 0) {
        (void)printf("all fits together\n");
    } else {
        (void)printf("%" PRIu64 " faults\n", proof->faults);
    }
}

/* --- doing -------------------------------------------------------------------------------------
 */

static bool has_file(const char *folder, const char *name)
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    return (size_t)len < sizeof path && access(path, F_OK) == 0;
}

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status verify_data_partition(const char *folder, uint16_t index, struct report *report,
                                    struct error *reterr)
{
    char path[STORE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/p%u", folder, index);
    TRY(store_settle(path, table_names, reterr));
    CLEANUP(fd_closep) int lock = -1;
    TRY(disk_lock(path, &lock, reterr)); /* a scheduler that runs writes while we read */
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_backup(path, table_names, &store, reterr));
    struct proof proof = {};
    TRY(proof_of_store(store, on_fault, report, &proof, reterr));
    report->proof.runs += proof.runs;
    report->proof.events += proof.events;
    report->proof.jobs += proof.jobs;
    report->proof.timers += proof.timers;
    report->proof.faults += proof.faults;
    return STATUS_OK;
}

static status verify_data(const char *folder, struct report *report, struct error *reterr)
{
    uint16_t count = 0;
    for (int i = 0; i < PARTITIONS_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "p%d/data.mdb", i);
        if (!has_file(folder, name)) continue;
        TRY(verify_data_partition(folder, (uint16_t)i, report, reterr));
        count++;
    }
    if (count > 0) return STATUS_OK;
    return fail(reterr, STATUS_NOT_FOUND,
                "%s holds neither a backup (manifest.json) nor data (p0/data.mdb)", folder);
}

static status carry_out(const struct order *order, struct backup_manifest *manifest,
                        struct report *report, struct error *reterr)
{
    if (order->is_restore) {
        struct restore_order restore = {.folder   = order->folder,
                                        .data     = order->to,
                                        .archive  = order->archive,
                                        .erasures = order->erasures,
                                        .until_us = INT64_MAX};
        report->manifest             = manifest;
        if (order->until && !time_parse(str_from(order->until), &restore.until_us)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "--until %s: a time such as 2026-11-22T10:00:00Z", order->until);
        }
        TRY(backup_restore(&restore, manifest, &report->restored, reterr));
        report->has_proof = order->archive;
        report->proof     = report->restored.proof;
        return STATUS_OK;
    }
    report->has_proof = true;
    if (!has_file(order->folder, "manifest.json")) {
        return verify_data(order->folder, report, reterr);
    }
    report->manifest = manifest;
    return backup_verify(order->folder, on_fault, report, manifest, &report->proof, reterr);
}

static int exit_code_of(status code, const struct report *report)
{
    switch (code) {
    case STATUS_OK: return report->proof.faults == 0 ? EXIT_WHOLE : EXIT_FAULTS;
    case STATUS_DATA_LOSS: return EXIT_FAULTS;
    case STATUS_NOT_FOUND:
    case STATUS_ALREADY_EXISTS:
    case STATUS_INVALID_ARGUMENT:
    case STATUS_FAILED_PRECONDITION: return EXIT_REFUSED;
    default: return EXIT_FILES;
    }
}

static int execute(const struct order *order)
{
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    struct report report = {.order = order, .faults = json_array_new(0)};
    struct error error   = {};
    status code          = carry_out(order, manifest, &report, &error);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "tutti-scheduler: %s\n", error.text);
    } else if (order->is_json) {
        print_json(&report);
    } else {
        print_text(&report);
    }
    json_unref(report.faults);
    return exit_code_of(code, &report);
}

static bool read_order(int argc, char **argv, struct order *order)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            order->is_json = true;
        } else if (strcmp(argv[i], "--to") == 0 && order->is_restore && i + 1 < argc) {
            order->to = argv[++i];
        } else if (strcmp(argv[i], "--archive") == 0 && order->is_restore && i + 1 < argc) {
            order->archive = argv[++i];
        } else if (strcmp(argv[i], "--erasures") == 0 && order->is_restore && i + 1 < argc) {
            order->erasures = argv[++i];
        } else if (strcmp(argv[i], "--until") == 0 && order->is_restore && i + 1 < argc) {
            order->until = argv[++i];
        } else if (argv[i][0] != '-' && !order->folder) {
            order->folder = argv[i];
        } else {
            return false;
        }
    }
    if (order->until && !order->archive) return false;
    return order->folder && (!order->is_restore || order->to);
}

bool maintenance_main(int argc, char **argv, int *ret_exit_code)
{
    if (argc < 2) return false;
    struct order order = {.is_restore = strcmp(argv[1], "restore") == 0};
    if (!order.is_restore && strcmp(argv[1], "verify") != 0) return false;
    if (read_order(argc, argv, &order)) {
        *ret_exit_code = execute(&order);
    } else {
        (void)fprintf(stderr, "usage: tutti-scheduler verify FOLDER [--json]\n"
                              "       tutti-scheduler restore BACKUP --to DATA "
                              "[--archive FOLDER [--until TIME]]\n"
                              "                       [--erasures FOLDER] [--json]\n");
        *ret_exit_code = EXIT_USAGE;
    }
    return true;
}
