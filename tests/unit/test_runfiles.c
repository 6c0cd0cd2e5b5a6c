/* The small files of a run: the estop latch and the metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/latch.h"
#include "daemon/metrics.h"
#include "daemon/shared.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

struct bench {
    struct folder folder;
    struct filewriter *w;
    char why[WHY_CHARS];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    folder_make(&b->folder);
    return filewriter_open(&b->w, FILEWRITER_ANY);
}

static int teardown(void **state)
{
    struct bench *b = *state;
    filewriter_close(b->w);
    folder_remove(&b->folder);
    free(b);
    return 0;
}

static void a_latch_stays_until_it_is_cleared(void **state)
{
    struct bench *b = *state;
    struct latch got;
    const struct latch set = {"a person: basalctl estop\nfrom afar", INT64_C(1790000000123456789)};
    assert_false(latch_get(b->folder.fd, &got));
    assert_int_equal(latch_set(b->w, b->folder.fd, &set, b->why, sizeof b->why), 0);
    assert_true(latch_get(b->folder.fd, &got));
    assert_string_equal(got.reason, "a person: basalctl estop");
    assert_true(got.unix_ns == set.unix_ns);
    assert_int_equal(latch_clear(b->w, b->folder.fd, b->why, sizeof b->why), 0);
    assert_false(latch_get(b->folder.fd, &got));
    assert_int_equal(latch_clear(b->w, b->folder.fd, b->why, sizeof b->why), 0);
}

/* Whatever stands there means latched. */
static void a_damaged_latch_is_latched(void **state)
{
    struct bench *b = *state;
    struct latch got;
    static const char *const texts[] = {"",      "\n",      "x", "12", "9999999999999999999999 far",
                                        "12 \n", "\xff\xfe"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(&b->folder, "estop", texts[i], strlen(texts[i]));
        assert_true(latch_get(b->folder.fd, &got));
        assert_true(got.reason[0] != '\0');
    }
    assert_int_equal(unlinkat(b->folder.fd, "estop", 0), 0);
    assert_int_equal(mkdirat(b->folder.fd, "estop", 0700), 0);
    assert_true(latch_get(b->folder.fd, &got));
    assert_non_null(strstr(got.reason, "cannot be read"));
    assert_true(latch_clear(b->w, b->folder.fd, b->why, sizeof b->why) < 0);
}

/* What is asked for is written before the loop has seen it, and once; a clear takes it away. */
static void the_keeper_writes_what_is_asked_for(void **state)
{
    struct bench *b = *state;
    struct latch_keeper k;
    struct latch got;
    _Atomic uint32_t stop = 0, latched = LATCHED_NOT;
    assert_int_equal(latch_keeper_open(&k, b->folder.fd), 0);
    latch_keeper_step(&k, &stop, &latched);
    assert_false(latch_get(b->folder.fd, &got));
    atomic_store(&stop, STOP_ESTOP | STOP_ASKED);
    latch_keeper_step(&k, &stop, &latched);
    assert_true(latch_get(b->folder.fd, &got));
    assert_string_equal(got.reason, "a person asked for it");
    const int64_t first_ns = got.unix_ns;
    atomic_store(&latched, LATCHED_ASKED);
    atomic_store(&stop, 0);
    latch_keeper_step(&k, &stop, &latched);
    assert_true(latch_get(b->folder.fd, &got));
    assert_true(got.unix_ns == first_ns);
    latch_mark(b->folder.fd, &stop, &latched); /* what is there says more */
    assert_true(latch_get(b->folder.fd, &got));
    assert_string_equal(got.reason, "a person asked for it");
    atomic_store(&latched, LATCHED_NOT);
    latch_keeper_step(&k, &stop, &latched);
    assert_false(latch_get(b->folder.fd, &got));
    latch_mark(b->folder.fd, &stop, &latched);
    assert_false(latch_get(b->folder.fd, &got));
    atomic_store(&latched, LATCHED_POWER);
    latch_keeper_step(&k, &stop, &latched);
    assert_true(latch_get(b->folder.fd, &got));
    assert_string_equal(got.reason, "motor power was lost");
    latch_keeper_close(&k);
}

/* No room for the reason: the name alone latches, and a clear takes it away. */
static void a_full_disk_latches_too(void **state)
{
    struct bench *b = *state;
    struct latch_keeper k;
    struct latch got;
    _Atomic uint32_t stop = STOP_ESTOP, latched = LATCHED_NOT;
    assert_int_equal(latch_keeper_open(&k, b->folder.fd), 0);
    filewriter_trouble(k.writer, &(struct disk_trouble){0, ENOSPC, 0});
    latch_keeper_step(&k, &stop, &latched);
    assert_true(latch_get(b->folder.fd, &got));
    assert_string_equal(got.reason, "the latch file does not say why");
    filewriter_trouble(k.writer, &(struct disk_trouble){0});
    atomic_store(&stop, 0);
    latch_keeper_step(&k, &stop, &latched);
    assert_false(latch_get(b->folder.fd, &got));
    latch_keeper_close(&k);
}

static void a_metrics_line_is_one_json_object(void **state)
{
    struct bench *b = *state;
    struct metrics m;
    char path[PATH_CHARS + 32];
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", b->folder.path);
    for (int life = 0; life < 3; life++) {
        assert_int_equal(metrics_open(&m, b->w, path, b->why, sizeof b->why), 0);
        for (int i = 0; i < 100; i++) {
            const struct metric v[] = {
                {"time/total_timesteps", life * 100 + i, true},
                {"train/critic_loss", 0.1 * i, false},
                {"rollout/ep_rew_mean", i % 2 == 0 ? (double)NAN : -1e-300, false}};
            assert_int_equal(metrics_write(&m, v, 3, b->why, sizeof b->why), 0);
        }
        assert_int_equal(m.lines, 100);
        assert_int_equal(filewriter_append(b->w, m.fd, "{\"half", 6, b->why, sizeof b->why), 0);
        metrics_close(&m);
    }
    FILE *f = fopen(path, "re");
    char line[512];
    int n = 0;
    while (fgets(line, sizeof line, f) != NULL && line[strlen(line) - 1] == '\n') {
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        assert_int_equal(json_integer_value(json_object_get(o, "time/total_timesteps")), n);
        assert_true(json_is_real(json_object_get(o, "train/critic_loss")) ||
                    json_is_integer(json_object_get(o, "train/critic_loss")));
        assert_int_equal(json_is_null(json_object_get(o, "rollout/ep_rew_mean")), n % 2 == 0);
        json_decref(o);
        n++;
    }
    (void)fclose(f);
    assert_int_equal(n, 300);
}

static void what_cannot_be_written_is_counted(void **state)
{
    struct bench *b = *state;
    struct metrics m;
    char path[PATH_CHARS + 32];
    const struct metric v = {"time/total_timesteps", 1.0, true};
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", b->folder.path);
    assert_int_equal(metrics_open(&m, b->w, path, b->why, sizeof b->why), 0);
    const int steps[] = {0, 1}; /* the disk is full at once, or after a part of the line */
    for (int i = 0; i < 2; i++) {
        filewriter_trouble(b->w, &(struct disk_trouble){steps[i], ENOSPC, 10});
        assert_int_equal(metrics_write(&m, &v, 1, b->why, sizeof b->why), -ENOSPC);
        filewriter_trouble(b->w, &(struct disk_trouble){0});
        assert_int_equal(metrics_write(&m, &v, 1, b->why, sizeof b->why), 0);
    }
    assert_int_equal(m.lost, 2);
    assert_int_equal(m.lines, 2);
    metrics_close(&m);
    char text[256] = "";
    FILE *f = fopen(path, "re");
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    (void)fclose(f);
    assert_string_equal(text, "{\"time/total_timesteps\":1}\n{\"time/total_timesteps\":1}\n");
    (void)snprintf(path, sizeof path, "%s/no/such/folder", b->folder.path);
    assert_int_equal(metrics_open(&m, b->w, path, b->why, sizeof b->why), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_latch_stays_until_it_is_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_latch_is_latched, setup, teardown),
        cmocka_unit_test_setup_teardown(the_keeper_writes_what_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_latches_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_metrics_line_is_one_json_object, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
