<?php
// All that PHP's Memcached does. The arguments are the server's port, and `text` or `binary`.
error_reporting(E_ALL);
set_error_handler(function ($level, $message) { throw new ErrorException($message); });

[, $port, $protocol] = $argv;
$binary = $protocol === 'binary';

function is($what, $got, $expected) {
    if ($got !== $expected) {
        throw new Exception("$what: got " . var_export($got, true) . ', not ' . var_export($expected, true));
    }
}

function client($options = []) {
    global $port, $binary;
    $client = new Memcached();
    is('options', $client->setOptions($options + [
        Memcached::OPT_BINARY_PROTOCOL => $binary,
        Memcached::OPT_TCP_NODELAY => true,
        Memcached::OPT_RECV_TIMEOUT => 10000000,
        Memcached::OPT_POLL_TIMEOUT => 10000,
    ]), true);
    is('server', $client->addServer('127.0.0.1', (int) $port), true);
    return $client;
}

$cache = client();
is('flush', $cache->flush(), true);
is('a miss', $cache->get('a'), false);
is('its code', $cache->getResultCode(), Memcached::RES_NOTFOUND);
is('set', $cache->set('a', 'one'), true);
is('get', $cache->get('a'), 'one');
is('add there', $cache->add('a', 'two'), false);
is('its code', $cache->getResultCode(), $binary ? Memcached::RES_DATA_EXISTS : Memcached::RES_NOTSTORED);
is('add', $cache->add('b', 'two'), true);
is('replace', $cache->replace('b', 'three'), true);
is('replace none', $cache->replace('none', 'x'), false);
is('its code', $cache->getResultCode(), $binary ? Memcached::RES_NOTFOUND : Memcached::RES_NOTSTORED);
$cache->setOption(Memcached::OPT_COMPRESSION, false);
is('append', $cache->append('b', '!'), true);
is('prepend', $cache->prepend('b', '='), true);
is('appended', $cache->get('b'), '=three!');
is('append none', $cache->append('none', '!'), false);
is('its code', $cache->getResultCode(), Memcached::RES_NOTSTORED);
$cache->setOption(Memcached::OPT_COMPRESSION, true);

is('set number', $cache->set('n', 10), true);
is('increment', $cache->increment('n', 5), 15);
is('decrement', $cache->decrement('n', 20), 0);
is('increment none', $cache->increment('none'), false);
is('its code', $cache->getResultCode(), Memcached::RES_NOTFOUND);
// An initial value is binary's.
if ($binary) {
    is('increment from', $cache->increment('from', 5, 100, 1000), 100);
    is('increment on', $cache->increment('from', 5, 100, 1000), 105);
    is('decrement from', $cache->decrement('down', 5, 7), 7);
}
is('touch', $cache->touch('n', 100), true);
is('touch none', $cache->touch('none', 100), false);

// cas
is('get none with cas', $cache->get('none', null, Memcached::GET_EXTENDED), false);
$found = $cache->get('a', null, Memcached::GET_EXTENDED);
is('get with cas', $found['value'], 'one');
is('cas', $cache->cas($found['cas'], 'a', 'two'), true);
is('cas again', $cache->cas($found['cas'], 'a', 'three'), false);
is('its code', $cache->getResultCode(), Memcached::RES_DATA_EXISTS);
is('cas none', $cache->cas($found['cas'], 'none', 'x'), false);
is('its code', $cache->getResultCode(), Memcached::RES_NOTFOUND);
is('after cas', $cache->get('a'), 'two');

// Flags tell the client what it has stored, and may have 16 bits of the user's.
$values = ['', '0', 0, -5, 1.5, true, false, null, ['list' => [1, 'ü']], (object) ['a' => 1],
    implode('', array_map('chr', range(0, 255))), "\r\nEND\r\n", str_repeat('word ', 50000)];
foreach ([Memcached::SERIALIZER_PHP, Memcached::SERIALIZER_IGBINARY, Memcached::SERIALIZER_JSON_ARRAY] as $serializer) {
    $cache->setOption(Memcached::OPT_SERIALIZER, $serializer);
    foreach ($values as $value) {
        // Objects become arrays in JSON.
        if ($serializer === Memcached::SERIALIZER_JSON_ARRAY && is_object($value)) continue;
        is('set typed', $cache->set('typed', $value), true);
        $got = $cache->get('typed');
        is('get typed', is_object($got) ? serialize($got) : $got, is_object($value) ? serialize($value) : $value);
        is('its code', $cache->getResultCode(), Memcached::RES_SUCCESS);
    }
}
$cache->setOption(Memcached::OPT_SERIALIZER, Memcached::SERIALIZER_PHP);
foreach ([Memcached::COMPRESSION_FASTLZ, Memcached::COMPRESSION_ZLIB] as $compression) {
    $cache->setOption(Memcached::OPT_COMPRESSION_TYPE, $compression);
    is('set packed', $cache->set('packed', str_repeat('word ', 200000)), true);
    is('get packed', $cache->get('packed'), str_repeat('word ', 200000));
}
$cache->setOption(Memcached::OPT_USER_FLAGS, 0xbeef);
is('set flags', $cache->set('flags', 'x'), true);
is('get flags', $cache->get('flags', null, Memcached::GET_EXTENDED)['flags'], 0xbeef);
$cache->setOption(Memcached::OPT_USER_FLAGS, -1);
$random = random_bytes(1000000);
is('set long', $cache->set('long', $random), true);
is('get long', $cache->get('long'), $random);
is('set too long', $cache->set('long', random_bytes(2 << 20)), false);
is('its code', $cache->getResultCode(), Memcached::RES_E2BIG);
is('after that', $cache->get('a'), 'two');

// Several at a time
$many = [];
for ($i = 0; $i < 500; $i++) $many["key-$i"] = "value $i";
is('setMulti', $cache->setMulti($many, 1000), true);
is('getMulti', $cache->getMulti(array_merge(array_keys($many), ['none'])), $many);
is('getMulti in order', array_keys($cache->getMulti(['key-2', 'none', 'key-1'], Memcached::GET_PRESERVE_ORDER)),
    ['key-2', 'none', 'key-1']);
$extended = $cache->getMulti(['key-1'], Memcached::GET_EXTENDED);
is('getMulti with cas', $cache->cas($extended['key-1']['cas'], 'key-1', 'changed'), true);
is('getDelayed', $cache->getDelayed(['key-1', 'key-2', 'none'], true), true);
$fetched = [];
while ($one = $cache->fetch()) $fetched[$one['key']] = $one['value'];
ksort($fetched);
is('fetched', $fetched, ['key-1' => 'changed', 'key-2' => 'value 2']);
is('getDelayed', $cache->getDelayed(['key-3', 'key-4']), true);
is('fetchAll', count($cache->fetchAll()), 2);
is('deleteMulti', $cache->deleteMulti(['key-1', 'none']), ['key-1' => true, 'none' => Memcached::RES_NOTFOUND]);
is('setByKey', $cache->setByKey('group', 'grouped', 'x'), true);
is('getByKey', $cache->getByKey('group', 'grouped'), 'x');

// Time. Over binary a negative one is the year 2106.
is('set expired', $cache->set('gone', 'x', -1), true);
is('get expired', $cache->get('gone'), $binary ? 'x' : false);
is('set past', $cache->set('past', 'x', time() - 100), true);
is('get past', $cache->get('past'), false);
is('set until', $cache->set('later', 'x', time() + 1000), true);
is('get until', $cache->get('later'), 'x');

// Keys. Over text it refuses what is not plain ASCII by itself.
$odd = [str_repeat('k', 250)];
if ($binary) array_push($odd, 'ü', 'two words', "nul\0", "tab\t");
foreach ($odd as $key) {
    is('set odd key', $cache->set($key, $key), true);
    is('get odd key', $cache->get($key), $key);
    is('delete odd key', $cache->delete($key), true);
}
foreach ($binary ? [str_repeat('k', 251), ''] : ['ü', 'two words', str_repeat('k', 251), ''] as $key) {
    is('set bad key', $cache->set($key, 'x'), false);
    is('its code', $cache->getResultCode(), Memcached::RES_BAD_KEY_PROVIDED);
}

// Quiet: requests that nobody answers, and requests that are held back.
foreach ([[Memcached::OPT_NOREPLY, true], [Memcached::OPT_BUFFER_WRITES, true], [Memcached::OPT_NO_BLOCK, true]] as [$option, $on]) {
    $quiet = client([$option => $on, Memcached::OPT_COMPRESSION => false]);
    for ($i = 0; $i < 200; $i++) {
        $quiet->set("quiet-$i", "value $i");
        $quiet->append("quiet-$i", '+');
    }
    is('flush buffers', $quiet->flushBuffers(), true);
    is('after quiet ones', $quiet->get('quiet-199'), 'value 199+');
    for ($i = 0; $i < 200; $i++) is('quiet', $cache->get("quiet-$i"), "value $i+");
    $quiet->quit();
}
$ring = client([Memcached::OPT_LIBKETAMA_COMPATIBLE => true, Memcached::OPT_PREFIX_KEY => 'pre:']);
is('set on the ring', $ring->set('x', 'ring'), true);
is('get with the prefix', $cache->get('pre:x'), 'ring');

// The server
$name = "127.0.0.1:$port";
is('version', preg_match('/^1\.6\.\d+/', $cache->getVersion()[$name]), 1);
$stats = $cache->getStats();
is('stats', $stats[$name]['curr_items'] > 0, true);
// Over text it takes `stats settings` for the general ones, and finds nothing that it knows.
if ($binary) is('settings', is_array($cache->getStats('settings')), true);
is('delete', $cache->delete('a'), true);
is('delete none', $cache->delete('a'), false);
is('flush', $cache->flush(), true);
is('flushed', $cache->get('b'), false);
is('flush later', $cache->flush(1000), true);
is('set before that', $cache->set('b', 'x'), true);
is('get before that', $cache->get('b'), 'x');
is('flush now', $cache->flush(), true);
is('quit', $cache->quit(), true);
is('set after quit', $cache->set('b', 'x'), true);
echo "done\n";
