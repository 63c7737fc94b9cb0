/* The anchor: a C program that makes the calls of one row, and nothing else.
   cc -O2 -static -o append append.c; append LEDGER none|data */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char lock_path[4096], row[256], tail[8192];
    struct stat st;
    struct tm tm;
    time_t now = time(NULL);
    if (argc < 3 || snprintf(lock_path, sizeof lock_path, "%s.lock", argv[1]) >= (int)sizeof lock_path)
        return 2;
    int lock = open(lock_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (lock < 0 || flock(lock, LOCK_EX) || fstat(lock, &st) || stat(lock_path, &st))
        return 1;
    int ledger = open(argv[1], O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (ledger < 0 || fstat(ledger, &st))
        return 1;
    off_t from = st.st_size > (off_t)sizeof tail ? st.st_size - (off_t)sizeof tail : 0;
    if (pread(ledger, tail, sizeof tail, from) < 0)
        return 1;
    gmtime_r(&now, &tm);
    strftime(row, sizeof row, "%Y-%m-%dT%H:%M:%SZ,m,1,2,true,plan,3,\n", &tm);
    if (write(ledger, row, strlen(row)) != (ssize_t)strlen(row))
        return 1;
    if (!strcmp(argv[2], "data") && fdatasync(ledger))
        return 1;
    return stat(argv[1], &st) ? 1 : 0;
}
