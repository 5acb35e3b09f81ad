# All that Cache::Memcached::Fast does, which speaks text. The argument is the server's port.
use strict;
use warnings;
use utf8;
use Cache::Memcached::Fast;

sub is {
    my ($what, $got, $expected) = @_;
    $got      = 'undef' unless defined $got;
    $expected = 'undef' unless defined $expected;
    die "$what: got '$got', not '$expected'\n" unless $got eq $expected;
}

my $cache = Cache::Memcached::Fast->new({
    servers            => [{ address => "127.0.0.1:$ARGV[0]" }],
    compress_threshold => 1000,
    io_timeout         => 10,
    connect_timeout    => 10,
    utf8               => 1,
    nowait             => 1,
});

is('version', (values %{ $cache->server_versions })[0] =~ /^1\.6\.\d+/ ? 1 : 0, 1);
is('flush_all', $cache->flush_all ? 1 : 0, 1);
is('a miss', $cache->get('a'), undef);
is('set', $cache->set('a', 'one'), 1);
is('get', $cache->get('a'), 'one');
is('add there', $cache->add('a', 'two') ? 1 : 0, 0);
is('add', $cache->add('b', 'two'), 1);
is('replace', $cache->replace('b', 'three'), 1);
is('replace none', $cache->replace('none', 'x') ? 1 : 0, 0);
is('append', $cache->append('b', '!'), 1);
is('prepend', $cache->prepend('b', '='), 1);
is('appended', $cache->get('b'), '=three!');
is('append none', $cache->append('none', '!') ? 1 : 0, 0);
is('set number', $cache->set('n', 10), 1);
is('incr', $cache->incr('n', 5), 15);
is('decr', $cache->decr('n', 20) + 0, 0);
is('incr none', $cache->incr('none') ? 1 : 0, 0);
is('touch', $cache->touch('n', 100) ? 1 : 0, 1);
is('touch none', $cache->touch('none', 100) ? 1 : 0, 0);
is('gat', $cache->gat(100, 'a'), 'one');
is('gats', $cache->gats(100, 'a')->[1], 'one');
is('gat_multi', join(',', sort values %{ $cache->gat_multi(100, 'a', 'b', 'none') }), '=three!,one');

my ($unique, $value) = @{ $cache->gets('a') };
is('gets', $value, 'one');
is('cas', $cache->cas('a', $unique, 'two'), 1);
is('cas again', $cache->cas('a', $unique, 'three') ? 1 : 0, 0);
is('cas none', $cache->cas('none', $unique, 'x') ? 1 : 0, 0);
is('after cas', $cache->get('a'), 'two');

# Several in one request
my @results = $cache->set_multi(map { ["key-$_", "value $_", 1000] } 1 .. 500);
is('set_multi', scalar(grep { $_ } @results), 500);
my $found = $cache->get_multi('none', map { "key-$_" } 1 .. 500);
is('get_multi', scalar(keys %$found), 500);
is('one of them', $found->{'key-7'}, 'value 7');
my $gets = $cache->gets_multi('key-1', 'key-2', 'none');
is('cas_multi', join(',', map { $_ ? 1 : 0 }
    $cache->cas_multi(['key-1', $gets->{'key-1'}[0], 'new'], ['key-2', 1, 'new'])), '1,0');
is('add_multi', join(',', map { $_ ? 1 : 0 } $cache->add_multi(['key-1', 'x'], ['new', 'x'])), '0,1');
is('incr_multi', join(',', $cache->incr_multi(['n', 7], 'n')), '7,8');
is('delete_multi', join(',', map { $_ ? 1 : 0 } $cache->delete_multi('key-1', 'none')), '1,0');

# Flags tell the client what it has stored: a structure, text, and a value that it has compressed.
is('set structure', $cache->set('s', { list => [1, 'ü'] }), 1);
is('get structure', join(',', @{ $cache->get('s')->{list} }), '1,ü');
my $long = 'abcdefghij' x 100_000;
is('set long', $cache->set('l', $long), 1);
is('get long', $cache->get('l'), $long);
my $bytes = join '', map { chr } 0 .. 255;
is('set bytes', $cache->set('bytes', $bytes), 1);
is('get bytes', $cache->get('bytes'), $bytes);
is('set line ends', $cache->set('lines', "\r\nEND\r\n"), 1);
is('get line ends', $cache->get('lines'), "\r\nEND\r\n");

# What it does not want to know is not answered.
$cache->set("quiet-$_", $_) for 1 .. 200;
$cache->incr("quiet-$_") for 1 .. 200;
$cache->delete("quiet-1");
is('nowait_push', $cache->nowait_push, undef);
is('quiet', join(',', map { $cache->get("quiet-$_") // 'undef' } 1, 2, 200), 'undef,3,201');

is('set expired', $cache->set('gone', 'x', -1), 1);
is('get expired', $cache->get('gone'), undef);
is('set until', $cache->set('later', 'x', time + 1000), 1);
is('get until', $cache->get('later'), 'x');
is('flush_all', $cache->flush_all ? 1 : 0, 1);
is('flushed', $cache->get('b'), undef);
$cache->disconnect_all;
is('connected again', $cache->set('b', 'x'), 1);
print "done\n";
