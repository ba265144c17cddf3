/* partition: what it knows of its disk. That stores and epochs are kept is shown by
 * engine_crash_test and backup_test. */
#include "scheduler/engine/partition.h"

#include "cmocka.h"
#include "support/folder.h"

#include <stdio.h>

enum { MAP_SIZE = 16 << 20 /* bytes */ };

static struct partition *open_in(const char *folder)
{
    const struct partition_options options = {.folder = folder, .map_size = MAP_SIZE, .count = 1};
    struct partition *partition            = NULL;
    struct error error                     = {};
    if (partition_open(&options, &partition, &error) != STATUS_OK) fail_msg("%s", error.text);
    return partition;
}

static void the_disk_is_not_measured_before_somebody_asks(void **)
{
    CLEANUP(folder_remove) struct folder folder           = folder_new();
    CLEANUP(partition_closep) struct partition *partition = open_in(folder.path);
    assert_int_equal(atomic_load(&partition->sync_probe_us), 0);
    partition_probe(partition);
    assert_true(atomic_load(&partition->sync_probe_us) > 0);
}

static void memory_has_no_disk(void **)
{
    CLEANUP(partition_closep) struct partition *partition = open_in(NULL);
    partition_probe(partition);
    assert_int_equal(atomic_load(&partition->sync_probe_us), 0);
}

static void a_disk_that_takes_nothing_is_not_measured(void **)
{
    CLEANUP(folder_remove) struct folder folder           = folder_new();
    CLEANUP(partition_closep) struct partition *partition = open_in(folder.path);
    (void)snprintf(partition->path, sizeof partition->path, "/nonexistent");
    partition_probe(partition);
    assert_int_equal(atomic_load(&partition->sync_probe_us), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_disk_is_not_measured_before_somebody_asks),
        cmocka_unit_test(memory_has_no_disk),
        cmocka_unit_test(a_disk_that_takes_nothing_is_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
