// All that Go's gomemcache does, which speaks text. The argument is the server's port.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func is(what string, got, expected interface{}) {
	if fmt.Sprint(got) != fmt.Sprint(expected) {
		fmt.Fprintf(os.Stderr, "%s: got %v, not %v\n", what, got, expected)
		os.Exit(1)
	}
}

func value(c *memcache.Client, key string) string {
	item, err := c.Get(key)
	if err != nil {
		return err.Error()
	}
	return string(item.Value)
}

// It has no append, no prepend, no noreply, no stats and no version.
func main() {
	c := memcache.New("127.0.0.1:" + os.Args[1])
	c.Timeout = 10 * time.Second

	is("flush", c.FlushAll(), nil)
	_, err := c.Get("a")
	is("a miss", err, memcache.ErrCacheMiss)
	is("set", c.Set(&memcache.Item{Key: "a", Value: []byte("one"), Flags: 0xfeedc0de}), nil)
	item, err := c.Get("a")
	is("get", err, nil)
	is("its value", string(item.Value), "one")
	is("its flags", item.Flags, uint32(0xfeedc0de))
	is("add there", c.Add(&memcache.Item{Key: "a", Value: []byte("two")}), memcache.ErrNotStored)
	is("add", c.Add(&memcache.Item{Key: "b", Value: []byte("two")}), nil)

	is("replace", c.Replace(&memcache.Item{Key: "b", Value: []byte("2")}), nil)
	is("replace none", c.Replace(&memcache.Item{Key: "none", Value: []byte("x")}), memcache.ErrNotStored)
	is("touch", c.Touch("a", 100), nil)
	is("touch none", c.Touch("none", 100), memcache.ErrCacheMiss)

	first, _ := c.Get("b")
	second, _ := c.Get("b")
	first.Value = []byte("three")
	second.Value = []byte("four")
	is("cas", c.CompareAndSwap(first), nil)
	is("cas again", c.CompareAndSwap(second), memcache.ErrCASConflict)
	is("after cas", value(c, "b"), "three")
	is("delete", c.Delete("b"), nil)
	is("cas none", c.CompareAndSwap(first), memcache.ErrCacheMiss)
	is("delete none", c.Delete("b"), memcache.ErrCacheMiss)

	is("set number", c.Set(&memcache.Item{Key: "n", Value: []byte("10")}), nil)
	number, err := c.Increment("n", 5)
	is("increment", []interface{}{number, err}, []interface{}{15, nil})
	number, err = c.Decrement("n", 20)
	is("decrement", []interface{}{number, err}, []interface{}{0, nil})
	_, err = c.Increment("none", 1)
	is("increment none", err, memcache.ErrCacheMiss)
	_, err = c.Increment("a", 1)
	is("increment a word", strings.Contains(err.Error(), "non-numeric value"), true)

	all := make([]byte, 1000000)
	for i := range all {
		all[i] = byte(i)
	}
	is("set long", c.Set(&memcache.Item{Key: "long", Value: all}), nil)
	long, err := c.Get("long")
	is("get long", err, nil)
	is("its bytes", bytes.Equal(long.Value, all), true)
	is("set too long", c.Set(&memcache.Item{Key: "long", Value: make([]byte, 2<<20)}) != nil, true)
	is("after that", value(c, "a"), "one")
	is("set empty", c.Set(&memcache.Item{Key: "empty"}), nil)
	is("get empty", value(c, "empty"), "")

	is("set past", c.Set(&memcache.Item{Key: "past", Value: all, Expiration: -1}), nil)
	is("get past", value(c, "past"), memcache.ErrCacheMiss)
	later := int32(time.Now().Unix() + 1000)
	is("set until", c.Set(&memcache.Item{Key: "later", Value: []byte("x"), Expiration: later}), nil)
	is("get until", value(c, "later"), "x")
	longest := strings.Repeat("k", 250)
	is("longest key", c.Set(&memcache.Item{Key: longest, Value: []byte("x")}), nil)
	is("get it", value(c, longest), "x")
	is("bad key", c.Set(&memcache.Item{Key: "two words"}), memcache.ErrMalformedKey)

	// Many at a time, on connections of their own.
	keys := []string{"none"}
	var group sync.WaitGroup
	for i := 0; i < 200; i++ {
		key := fmt.Sprintf("key-%d", i)
		keys = append(keys, key)
		group.Add(1)
		go func() {
			defer group.Done()
			is("set one of many", c.Set(&memcache.Item{Key: key, Value: []byte(key)}), nil)
			is("get one of many", value(c, key), key)
			c.Increment("n", 1)
		}()
	}
	group.Wait()
	is("counted", value(c, "n"), "200")
	found, err := c.GetMulti(keys)
	is("get multi", err, nil)
	is("how many", len(found), 200)
	for key, item := range found {
		is("one of them", string(item.Value), key)
	}
	is("flush", c.FlushAll(), nil)
	is("flushed", value(c, "a"), memcache.ErrCacheMiss)
	fmt.Println("done")
}
