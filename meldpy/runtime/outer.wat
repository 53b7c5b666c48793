;; What is the engine's and fused code waits for: subtasks of host calls (`hosts.wat`), and ends that the host shares.
;;
;; Each is in the engine's set of some root, which is how the engine tells us of its events; which root's does not matter,
;; since an event only makes inner waitables ready. For each handle of the engine's that is watched there is an entry:
;;
;;   +0  the inner waitable, or 0    +4  the root's engine handles (`roots.wat`) whose set it is in, or 0
;;
;; A root that has exited stays as long as there is something in its set. What begins outside of all roots is in no set
;; until the next root waits (`adopt`): before that there is nobody to tell.
(module
  (import "handles" "memory" (memory $cells 4))
  (import "events" "memory" (memory $events 1))
  (import "handles" "allocate" (func $allocate (param i64) (result i32)))
  (import "tasks" "root" (func $root (result i32)))
  (import "roots" "handles" (func $handles (param i32) (result i32)))
  (import "roots" "all" (func $all (result i32)))
  (import "roots" "event" (func $event (param i32 i32 i32 i32)))
  (import "roots" "let-exit" (func $let_exit (param i32)))
  (import "engine" "waitable.join" (func $engine.join (param i32 i32)))
  (import "engine" "waitable-set.poll" (func $engine.poll (param i32 i32) (result i32)))

  (global $entries (mut i32) (i32.const 0))
  (global $room (mut i32) (i32.const 0))
  (global $watched (mut i32) (i32.const 0))
  (global $loose (mut i32) (i32.const 0))

  (func $entry (param $handle i32) (result i32)
    (i32.add (global.get $entries) (i32.shl (local.get $handle) (i32.const 3))))

  ;; The inner waitable behind a handle of the engine's.
  (func (export "find") (param $handle i32) (result i32)
    (i32.load (call $entry (local.get $handle))))

  ;; Room for the entry of a handle.
  (func $grow (param $handle i32)
    (local $room i32) (local $entries i32)
    (local.set $room (select (global.get $room) (i32.const 16) (global.get $room)))
    loop $double
      (if (i32.le_u (local.get $room) (local.get $handle))
        (then
          (local.set $room (i32.shl (local.get $room) (i32.const 1)))
          (br $double)))
    end
    (local.set $entries
      (call $allocate (i64.shl (i64.extend_i32_u (local.get $room)) (i64.const 3))))
    (memory.copy $cells $cells
      (local.get $entries)
      (global.get $entries)
      (i32.shl (global.get $room) (i32.const 3)))
    (global.set $entries (local.get $entries))
    (global.set $room (local.get $room)))

  ;; From now on the engine tells the current root of the handle's events.
  (func (export "watch") (param $handle i32) (param $waitable i32)
    (if (i32.ge_u (local.get $handle) (global.get $room)) (then (call $grow (local.get $handle))))
    (i32.store (call $entry (local.get $handle)) (local.get $waitable))
    (global.set $watched (i32.add (global.get $watched) (i32.const 1)))
    (if (call $root)
      (then (call $put (local.get $handle) (call $handles (call $root))))
      (else (global.set $loose (i32.add (global.get $loose) (i32.const 1))))))

  ;; Into the set of a root.
  (func $put (param $handle i32) (param $root i32)
    (i32.store offset=4 (call $entry (local.get $handle)) (local.get $root))
    (i32.store offset=24 (local.get $root) (i32.add (i32.load offset=24 (local.get $root)) (i32.const 1)))
    (call $engine.join (local.get $handle) (i32.load offset=4 (local.get $root))))

  ;; Out of the set that it is in.
  (func $taken (param $handle i32)
    (local $root i32) (local $left i32)
    (local.set $root (i32.load offset=4 (call $entry (local.get $handle))))
    (if (i32.eqz (local.get $root))
      (then (global.set $loose (i32.sub (global.get $loose) (i32.const 1))) (return)))
    (local.set $left (i32.sub (i32.load offset=24 (local.get $root)) (i32.const 1)))
    (i32.store offset=24 (local.get $root) (local.get $left))
    (if (i32.eqz (local.get $left)) (then (call $let_exit (local.get $root)))))

  (func (export "unwatch") (param $handle i32)
    (call $engine.join (local.get $handle) (i32.const 0))
    (call $taken (local.get $handle))
    (i64.store align=4 (call $entry (local.get $handle)) (i64.const 0))
    (global.set $watched (i32.sub (global.get $watched) (i32.const 1))))

  ;; All that is watched into one root's set: that root blocks, so no other can hear of anything.
  (func (export "gather") (param $root i32)
    (local $handle i32) (local $entry i32)
    loop $next
      (if (i32.eq (global.get $watched) (i32.load offset=24 (local.get $root))) (then (return)))
      (local.set $entry (call $entry (local.get $handle)))
      (if (i32.load (local.get $entry))
        (then
          (if (i32.ne (i32.load offset=4 (local.get $entry)) (local.get $root))
            (then
              (call $taken (local.get $handle))
              (call $put (local.get $handle) (local.get $root))))))
      (local.set $handle (i32.add (local.get $handle) (i32.const 1)))
      (br $next)
    end)

  ;; What is in no set into the set of a root that is going to wait.
  (func (export "adopt") (param $root i32)
    (local $handle i32) (local $entry i32)
    loop $next
      (if (i32.eqz (global.get $loose)) (then (return)))
      (local.set $entry (call $entry (local.get $handle)))
      (if (i32.load (local.get $entry))
        (then
          (if (i32.eqz (i32.load offset=4 (local.get $entry)))
            (then
              (call $taken (local.get $handle))
              (call $put (local.get $handle) (local.get $root))))))
      (local.set $handle (i32.add (local.get $handle) (i32.const 1)))
      (br $next)
    end)

  ;; Hears of everything that the engine has in one root's set.
  (func $drain (export "drain") (param $root i32)
    (local $code i32)
    loop $next
      (if (i32.load offset=24 (local.get $root))
        (then
          (local.set $code (call $engine.poll (i32.load offset=4 (local.get $root)) (i32.const 0x30)))
          (if (local.get $code)
            (then
              (call $event
                (local.get $root)
                (local.get $code)
                (i32.load $events offset=0x30 (i32.const 0))
                (i32.load $events offset=0x34 (i32.const 0)))
              (br $next)))))
    end)

  ;; The same for all.
  (func (export "drain-all")
    (local $root i32)
    (if (i32.eqz (global.get $watched)) (then (return)))
    (local.set $root (call $all))
    loop $next
      (if (local.get $root)
        (then
          (call $drain (local.get $root))
          (local.set $root (i32.load offset=20 (local.get $root)))
          (br $next)))
    end))
