/* Packets with descriptors: wrong sizes, too many, none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/message.h"

struct message {
	uint64_t one, other;
};

static int pair[2];

static int set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void test_round(void **state)
{
	struct message sent = { 1, 2 }, got = { 0 };
	int fds[PACKET_FDS_MAX] = { -1, -1, -1, -1 }, give[2] = { 0, 1 };
	size_t count = 9;

	(void)state;
	assert_int_equal(packet_send(pair[0], &sent, sizeof sent, NULL, 0), 0);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), 1);
	assert_int_equal(count, 0);
	assert_memory_equal(&sent, &got, sizeof got);

	assert_int_equal(packet_send(pair[0], &sent, sizeof sent, give, 2), 0);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), 1);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
	assert_int_equal(packet_send(pair[0], &sent, sizeof sent, give, PACKET_FDS_MAX + 1),
			 -EINVAL);
}

static void check_size(size_t size)
{
	char bytes[64] = "";
	struct message got;
	int fds[PACKET_FDS_MAX], give[3] = { 0, 1, 2 };
	int before = open_descriptors();
	size_t count = 0;

	assert_int_equal(packet_send(pair[0], bytes, size, give, 3), 0);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), -EBADMSG);
	assert_int_equal(count, 0);
	assert_int_equal(open_descriptors(), before); /* they were closed */
}

static void test_wrong_sizes(void **state)
{
	(void)state;
	check_size(1);
	check_size(sizeof(struct message) - 1);
	check_size(sizeof(struct message) + 1);
	check_size(64);
}

/* More than there is room for: by hand, because packet_send() refuses. */
static void test_too_many_descriptors(void **state)
{
	enum { MANY = PACKET_FDS_MAX * 4 };
	union {
		char space[CMSG_SPACE(MANY * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct message bytes = { 1, 2 }, got;
	struct iovec part = { &bytes, sizeof bytes };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof control.space };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	int give[MANY] = { 0 }, fds[PACKET_FDS_MAX];
	int before = open_descriptors();
	size_t count = 0;

	(void)state;
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof give);
	memcpy(CMSG_DATA(rights), give, sizeof give);
	assert_int_equal(sendmsg(pair[0], &message, 0), sizeof bytes);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), -EBADMSG);
	assert_int_equal(open_descriptors(), before);
}

static void test_end_and_nothing(void **state)
{
	struct message got;
	int fds[PACKET_FDS_MAX];
	size_t count = 0;

	(void)state;
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), -EAGAIN);
	shutdown(pair[0], SHUT_WR);
	assert_int_equal(packet_receive(pair[1], &got, sizeof got, fds, &count), 0);
	close(pair[1]);
	assert_int_equal(packet_send(pair[0], &got, sizeof got, NULL, 0), -EPIPE); /* no signal */
	pair[1] = dup(0);
}

#define PACKET_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKET_TEST(test_round),
		PACKET_TEST(test_wrong_sizes),
		PACKET_TEST(test_too_many_descriptors),
		PACKET_TEST(test_end_and_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
