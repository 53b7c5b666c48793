;; Roots: tasks that the host calls, and the engine's own tasks that they run in.
;;
;; An async export is an async callback lift of the output. Its first call and its callbacks come in here, run what is
;; ready (the pump), and go back to the engine:
;;
;;   EXIT   the task has exited, nothing is ready, and nothing of the engine's is in the root's set (`outer.wat`)
;;   YIELD  something is ready; after 64 pieces of work the engine has its turn
;;   WAIT   nothing is ready, for a set of the engine's that belongs to this root
;;
;; The engine says in context slot 0 which root it calls back. A root's own code runs in no other engine task, since what
;; it returns goes to the current one. So whoever makes another root ready wakes that root's engine task: a stream
;; without elements, both ends of it ours, whose readable end is in the root's set.
;;
;; The engine's handles (set and stream) of a root are used again by later roots:
;;
;;   +0 next of the unused ones  +4 the set  +8 the readable end  +12 the writable end  +16 whether a read is pending
;;   +20 next of all  +24 how many of the engine's waitables are in the set, but for the readable end  +28 the root
;;
;; A root's words: +80 its engine handles  +84 it is ready (another root found out)  +88 the engine waits for its set
;; +92 it had returned when it last went back to the engine
;;
;; A host that cancels a root is heard in its callback: the task gets TASK_CANCELLED in its event loop, and what it
;; cancels or returns goes to the engine's task.
;;
;; `block` is for a task that blocks on its stack: the pump runs below it, and when nothing is ready the engine task waits
;; in place. No other root can be called back meanwhile, so it waits for everything that is the engine's. What the pump
;; runs may block above it; whoever is further down goes on later.
(module
  (import "handles" "memory" (memory $cells 4))
  (import "events" "memory" (memory $events 1))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "free-cell" (func $cell.free (param i32)))
  (import "tasks" "step" (func $step (result i32)))
  (import "tasks" "step-above" (func $step_above (result i32)))
  (import "tasks" "put-back" (func $put_back))
  (import "tasks" "ready" (func $ready (result i32)))
  (import "tasks" "resume" (func $resume (param i32)))
  (import "tasks" "cancel-root" (func $cancel_root (param i32 i32)))
  (import "tasks" "root" (func $root (result i32)))
  (import "tasks" "enter-root" (func $enter_root (param i32) (result i32)))
  (import "emitted" "outer event" (func $outer_event (param i32 i32 i32)))
  (import "emitted" "drain" (func $drain (param i32)))
  (import "emitted" "gather" (func $gather (param i32)))
  (import "emitted" "adopt" (func $adopt (param i32)))
  (import "emitted" "turn" (func $turn (param i32)))
  (import "emitted" "may idle" (func $may_idle))
  (import "engine" "waitable-set.new" (func $engine.set_new (result i32)))
  (import "engine" "waitable-set.wait" (func $engine.wait (param i32 i32) (result i32)))
  (import "engine" "waitable.join" (func $engine.join (param i32 i32)))
  (import "engine" "context.get" (func $engine.context_get (result i32)))
  (import "engine" "context.set" (func $engine.context_set (param i32)))
  (import "engine" "stream.new" (func $engine.stream_new (result i64)))
  (import "engine" "stream.read" (func $engine.read (param i32 i32 i32) (result i32)))
  (import "engine" "stream.write" (func $engine.write (param i32 i32 i32) (result i32)))
  (import "trap" "synchronous cancel that has to wait" (func $trap_stuck))

  (global $unused (mut i32) (i32.const 0))
  (global $all (mut i32) (i32.const 0))

  ;; What the topmost blocked task waits for, see `block`; 0 if none is blocked. Those further down are a chain of cells
  ;; of the same three words.
  (global $at (mut i32) (i32.const 0))
  (global $mask (mut i32) (i32.const 0))
  (global $further (mut i32) (i32.const 0))

  ;; --- the engine's handles --------------------------------------------------------------------------------------

  (func $handles (export "handles") (param $task i32) (result i32)
    (local $handles i32)
    (local.set $handles (i32.load offset=80 (local.get $task)))
    (if (i32.eqz (local.get $handles))
      (then
        (local.set $handles (global.get $unused))
        (if (local.get $handles)
          (then (global.set $unused (i32.load (local.get $handles))))
          (else
            (local.set $handles (call $cell.new))
            (i32.store offset=4 (local.get $handles) (call $engine.set_new))
            (i32.store offset=20 (local.get $handles) (global.get $all))
            (global.set $all (local.get $handles))))
        (i32.store offset=28 (local.get $handles) (local.get $task))
        (i32.store offset=80 (local.get $task) (local.get $handles))))
    local.get $handles)

  ;; The first of all.
  (func (export "all") (result i32)
    global.get $all)

  ;; Nothing of the engine's is in the root's set any more.
  (func (export "let-exit") (param $handles i32)
    (local $task i32)
    (local.set $task (i32.load offset=28 (local.get $handles)))
    (if (i32.eqz (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1)))
      (then
        (if (i32.ne (local.get $task) (call $root)) (then (call $wake (local.get $task)))))))

  ;; Wakes the engine task of a root that is ready, or has exited and may go.
  (func $wake (export "wake") (param $task i32)
    (local $handles i32) (local $ends i64)
    (i32.store offset=84 (local.get $task) (i32.const 1))
    (if (i32.eqz (i32.load offset=88 (local.get $task))) (then (return)))
    (local.set $handles (call $handles (local.get $task)))
    (if (i32.eqz (i32.load offset=8 (local.get $handles)))
      (then
        (i64.store offset=8 (local.get $handles) (call $engine.stream_new))))
    (if (i32.eqz (i32.load offset=16 (local.get $handles)))
      (then
        (drop (call $engine.read (i32.load offset=8 (local.get $handles)) (i32.const 0) (i32.const 1)))
        (call $engine.join
          (i32.load offset=8 (local.get $handles))
          (i32.load offset=4 (local.get $handles)))
        (i32.store offset=16 (local.get $handles) (i32.const 1))
        (drop (call $engine.write (i32.load offset=12 (local.get $handles)) (i32.const 0) (i32.const 1))))))

  ;; --- entries ---------------------------------------------------------------------------------------------------

  ;; The host calls a new root; what to hand to `leave`.
  (func $enter (export "enter") (param $task i32) (result i32)
    (call $engine.context_set (local.get $task))
    (call $enter_root (local.get $task)))

  ;; The engine calls a root back.
  (func $callback (export "callback") (param $code i32) (param $index i32) (param $payload i32) (result i32)
    (local $task i32) (local $outside i32)
    (local.set $task (call $engine.context_get))
    (local.set $outside (call $enter_root (local.get $task)))
    (i32.store offset=88 (local.get $task) (i32.const 0))
    (if (i32.load offset=80 (local.get $task))
      (then
        (call $event
          (i32.load offset=80 (local.get $task))
          (local.get $code)
          (local.get $index)
          (local.get $payload))
        (call $drain (i32.load offset=80 (local.get $task)))))
    (if (i32.eq (local.get $code) (i32.const 6))
      (then
        (call $cancel_root (local.get $task) (i32.load offset=84 (local.get $task)))
        (i32.store offset=84 (local.get $task) (i32.const 0))))
    (if (i32.load offset=84 (local.get $task))
      (then
        (i32.store offset=84 (local.get $task) (i32.const 0))
        (if (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1))
          (then (call $resume (local.get $task))))))
    (call $go_on (local.get $task) (local.get $outside) (i32.eqz (local.get $code))))

  ;; An event of the engine's: it only makes things ready.
  (func $event (export "event")
    (param $handles i32) (param $code i32) (param $index i32) (param $payload i32)
    (if
      (i32.and
        (i32.eq (local.get $code) (i32.const 2))
        (i32.eq (local.get $index) (i32.load offset=8 (local.get $handles))))
      (then (i32.store offset=16 (local.get $handles) (i32.const 0)) (return)))
    (if (local.get $code)
      (then (call $outer_event (local.get $code) (local.get $index) (local.get $payload)))))

  ;; The pump; then what to tell the engine.
  (func (export "leave") (param $task i32) (param $outside i32) (result i32)
    (call $go_on (local.get $task) (local.get $outside) (i32.const 0)))

  ;; `$turn`: whether the root itself may run, if it had yielded.
  (func $go_on (param $task i32) (param $outside i32) (param $turn i32) (result i32)
    (local $budget i32) (local $handles i32)
    (local.set $budget (i32.const 64))
    loop $next
      ;; A result goes to the host before anything else happens.
      (if
        (i32.and
          (i32.ne (local.get $budget) (i32.const 0))
          (i32.eq
            (i32.load offset=92 (local.get $task))
            (i32.and (i32.load offset=36 (local.get $task)) (i32.const 32))))
        (then
          (local.set $budget (i32.sub (local.get $budget) (i32.const 1)))
          ;; A root that yields goes back to the engine before its turn comes, as it would in a composition.
          (if
            (i32.and
              (i32.eqz (i32.load offset=4 (i32.const 0)))
              (i32.eq
                (i32.load offset=8 (i32.const 0))
                (i32.add (local.get $task) (i32.const 56))))
            (then
              (if (i32.eqz (local.get $turn))
                (then (local.set $budget (i32.const 0)) (br $next)))
              (local.set $turn (i32.const 0))))
          (br_if $next (call $step))))
    end
    (i32.store offset=92 (local.get $task)
      (i32.and (i32.load offset=36 (local.get $task)) (i32.const 32)))
    (drop (call $enter_root (local.get $outside)))
    (if (call $ready) (then (return (i32.const 1))))
    (local.set $handles (i32.load offset=80 (local.get $task)))
    (if
      (if (result i32) (i32.and (i32.load offset=36 (local.get $task)) (i32.const 1))
        (then (i32.const 1))
        (else
          (if (result i32) (local.get $handles)
            (then (i32.load offset=24 (local.get $handles)))
            (else (i32.const 0)))))
      (then
        (i32.store offset=88 (local.get $task) (i32.const 1))
        (local.set $handles (call $handles (local.get $task)))
        (call $adopt (local.get $handles))
        (return
          (i32.or
            (i32.const 2)
            (i32.shl (i32.load offset=4 (local.get $handles)) (i32.const 4))))))
    ;; It has exited, and needs nothing more.
    (if (local.get $handles)
      (then
        (i32.store (local.get $handles) (global.get $unused))
        (global.set $unused (local.get $handles))))
    (call $cell.free (local.get $task))
    i32.const 0)

  ;; --- blocking --------------------------------------------------------------------------------------------------

  ;; Until one of the bits in `$mask` is set in the word at `$at`. After 64 pieces of work the engine has its turn.
  (func $block (export "block") (param $at i32) (param $mask i32)
    (local $budget i32) (local $cell i32)
    (if (global.get $at)
      (then
        (local.set $cell (call $cell.new))
        (i32.store (local.get $cell) (global.get $at))
        (i32.store offset=4 (local.get $cell) (global.get $mask))
        (i32.store offset=8 (local.get $cell) (global.get $further))
        (global.set $further (local.get $cell))))
    (global.set $at (local.get $at))
    (global.set $mask (local.get $mask))
    (local.set $budget (i32.const 64))
    loop $next
      (if (i32.eqz (i32.and (i32.load (local.get $at)) (local.get $mask)))
        (then
          (if (i32.eqz (call $step_above)) (then (call $idle)))
          (local.set $budget (i32.sub (local.get $budget) (i32.const 1)))
          (if (i32.eqz (local.get $budget))
            (then
              (call $turn (call $handles (call $root)))
              (local.set $budget (i32.const 64))))
          (br $next)))
    end
    (call $put_back)
    (global.set $at (i32.const 0))
    (if (local.get $cell)
      (then
        (global.set $at (i32.load (local.get $cell)))
        (global.set $mask (i32.load offset=4 (local.get $cell)))
        (global.set $further (i32.load offset=8 (local.get $cell)))
        (call $cell.free (local.get $cell)))))

  ;; Nothing is ready. A stack further down that could go on cannot do so before the topmost one does.
  (func $idle
    (local $handles i32) (local $cell i32)
    (local.set $cell (global.get $further))
    loop $next
      (if (local.get $cell)
        (then
          (if
            (i32.and
              (i32.load (i32.load (local.get $cell)))
              (i32.load offset=4 (local.get $cell)))
            (then (call $trap_stuck) unreachable))
          (local.set $cell (i32.load offset=8 (local.get $cell)))
          (br $next)))
    end
    (call $may_idle)
    (local.set $handles (call $handles (call $root)))
    (call $gather (local.get $handles))
    (call $event
      (local.get $handles)
      (call $engine.wait (i32.load offset=4 (local.get $handles)) (i32.const 0x30))
      (i32.load $events offset=0x30 (i32.const 0))
      (i32.load $events offset=0x34 (i32.const 0)))))
