/* folder: a temporary folder of a test, removed with all that is in it. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

enum { FOLDER_PATH_MAX = 256 /* bytes */ };

struct folder {
    char path[FOLDER_PATH_MAX];
};

/** Makes an empty folder below $TMPDIR or /tmp; ends the test if it cannot. */
struct folder folder_new(void);

/** Makes a folder in it; the path of anything in it. */
struct folder folder_sub(const struct folder *folder, const char *name);
struct folder folder_join(const struct folder *folder, const char *name);

/** Removes it and what is in it, one level of sub-folders included. CLEANUP form. */
void folder_remove(const struct folder *folder);

#endif
