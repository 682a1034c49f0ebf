// Tokio's side of `./workshop race --micro`: the same work on the current-thread runtime.
//   tokio_micro --list | CASE [SIZE]      (see tests/race/micro/micro.hh)
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::Sleep;

const LONG_ENOUGH_NS: f64 = 2e8;
const TIMER_BATCH: usize = 4096;
const OVERDUE: Duration = Duration::from_millis(100);
const CHANNEL_CAPACITY: usize = 128;
const MILLION: usize = 1_000_000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn ns_since(begin: Instant) -> f64 {
    begin.elapsed().as_nanos() as f64
}

/// Nanoseconds an operation; tries more until they take long enough.
fn ns_each(mut run: impl FnMut(usize)) -> f64 {
    let mut count = 1usize;
    loop {
        let begin = Instant::now();
        run(count);
        let ns = ns_since(begin);
        if ns >= LONG_ENOUGH_NS {
            return ns / count as f64;
        }
        count *= (1.2 * LONG_ENOUGH_NS / ns.max(100.0)).max(2.0).min(64.0) as usize;
    }
}

/// The median of nine rounds, each of which says how many nanoseconds count.
fn ns_each_counted(count: usize, mut round: impl FnMut() -> f64) -> f64 {
    let mut rounds: Vec<f64> = (0..9).map(|_| round()).collect();
    rounds.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rounds[4] / count as f64
}

/// Inside a spawned task, where Tokio is fastest, not in the root future.
fn ns_in_a_task<F, T>(body: F) -> f64
where
    F: Fn(usize) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    ns_each(|count| {
        let task = body(count);
        runtime().block_on(async { tokio::spawn(task).await.unwrap() })
    })
}

fn spawn_join() -> f64 {
    ns_in_a_task(|count| async move {
        for _ in 0..count {
            tokio::spawn(async {}).await.unwrap();
        }
    })
}

fn yield_once() -> f64 {
    ns_in_a_task(|count| async move {
        for _ in 0..count {
            yield_now().await;
        }
    })
}

fn channel_message() -> f64 {
    ns_in_a_task(|count| async move {
        let (tx, mut rx) = mpsc::channel::<usize>(CHANNEL_CAPACITY);
        tokio::spawn(async move {
            for i in 0..count {
                tx.send(i).await.unwrap();
            }
        });
        for i in 0..count {
            assert!(rx.recv().await == Some(i));
        }
    })
}

fn oneshot_message() -> f64 {
    ns_in_a_task(|count| async move {
        for i in 0..count {
            let (tx, rx) = oneshot::channel::<usize>();
            tx.send(i).unwrap();
            assert!(rx.await == Ok(i));
        }
    })
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

fn task_memory(tasks: usize) -> f64 {
    let bytes = runtime().block_on(async {
        let before = resident_bytes();
        for _ in 0..tasks {
            tokio::spawn(std::future::pending::<()>());
        }
        yield_now().await;
        (resident_bytes() - before) / tasks as f64
    });
    println!("{:.3}", bytes);
    std::process::exit(0); // To end a million tasks is not what is measured.
}

fn spawn_many(tasks: usize) -> f64 {
    ns_each_counted(tasks, || {
        runtime().block_on(async move {
            let mut handles = Vec::with_capacity(tasks);
            let begin = Instant::now();
            for _ in 0..tasks {
                handles.push(tokio::spawn(async {}));
            }
            for handle in handles.drain(..) {
                handle.await.unwrap();
            }
            ns_since(begin)
        })
    })
}

/// Counts how often timers fire.
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Timers in one block of memory that never moves, so that dropping one frees nothing else.
struct Timers {
    sleeps: Vec<Sleep>,
    counter: Arc<Counter>,
    waker: Waker,
}

impl Timers {
    fn new(room: usize) -> Timers {
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        Timers { sleeps: Vec::with_capacity(room), waker: counter.clone().into(), counter }
    }
    fn add(&mut self, deadline: Instant) {
        assert!(self.sleeps.len() < self.sleeps.capacity());
        self.sleeps.push(tokio::time::sleep_until(deadline.into()));
    }
    /// A timer is registered by its first poll.
    fn arm_all(&mut self) {
        let mut context = Context::from_waker(&self.waker);
        for sleep in self.sleeps.iter_mut() {
            // Sound: the vector never grows beyond its capacity, and nothing is moved out of it.
            let _ = unsafe { Pin::new_unchecked(sleep) }.poll(&mut context);
        }
    }
}

/// Between 5 s and 69 s; the generator is of no importance.
fn delay(i: usize) -> Duration {
    let x = (i as u64 + 1).wrapping_mul(6364136223846793005).rotate_left(31);
    Duration::from_nanos(5_000_000_000 + x.wrapping_mul(1442695040888963407) % 64_000_000_000)
}

fn insert_or_cancel(armed: usize, time_insert: bool) -> f64 {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut timers = Timers::new(armed);
    let now = Instant::now();
    for i in 0..armed {
        timers.add(now + delay(i));
    }
    timers.arm_all();
    let mut batch = Timers::new(TIMER_BATCH);
    let ns = ns_each_counted(TIMER_BATCH, || {
        let now = Instant::now();
        for i in 0..TIMER_BATCH {
            batch.add(now + delay(armed + i));
        }
        let begin = Instant::now();
        batch.arm_all();
        let inserted_ns = ns_since(begin);
        let middle = Instant::now();
        batch.sleeps.clear();
        let cancelled_ns = ns_since(middle);
        if time_insert { inserted_ns } else { cancelled_ns }
    });
    println!("{:.3}", ns);
    std::process::exit(0);
}

fn timer_fire(armed: usize) -> f64 {
    let runtime = runtime();
    let inside = runtime.enter();
    let mut timers = Timers::new(armed);
    let now = Instant::now() + Duration::from_secs(2);
    for i in 0..armed {
        timers.add(now + OVERDUE * i as u32 / armed as u32);
    }
    timers.arm_all();
    drop(inside);
    std::thread::sleep((now + 2 * OVERDUE).saturating_duration_since(Instant::now()));
    let begin = Instant::now();
    runtime.block_on(async {
        while timers.counter.0.load(Ordering::Relaxed) < armed {
            yield_now().await;
        }
    });
    ns_since(begin) / armed as f64
}

fn start_up() -> f64 {
    ns_each(|count| {
        for _ in 0..count {
            runtime().block_on(async {});
        }
    })
}

fn pin(cpu: usize) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set);
    }
}

/// A second thread with a runtime of its own, as a shard would be.
fn other_thread() -> Handle {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        pin(1);
        let runtime = runtime();
        tx.send(runtime.handle().clone()).unwrap();
        runtime.block_on(std::future::pending::<()>());
    });
    pin(0);
    rx.recv().unwrap()
}

fn messages(in_flight: usize) -> f64 {
    let there = other_thread();
    ns_each(|count| {
        let there = &there;
        runtime().block_on(async move {
            let mut tasks = Vec::new();
            for _ in 0..in_flight {
                let there = there.clone();
                tasks.push(tokio::spawn(async move {
                    for i in 0..count / in_flight + 1 {
                        assert!(there.spawn(async move { i }).await.unwrap() == i);
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        })
    })
}

fn main() {
    let cases: Vec<(&str, Box<dyn Fn(usize) -> f64>, usize)> = vec![
        ("spawn", Box::new(|_| spawn_join()), 0),
        ("yield", Box::new(|_| yield_once()), 0),
        ("channel", Box::new(|_| channel_message()), 0),
        ("oneshot", Box::new(|_| oneshot_message()), 0),
        ("task-memory", Box::new(task_memory), MILLION),
        ("spawn-many", Box::new(spawn_many), MILLION),
        ("timer-insert", Box::new(|armed| insert_or_cancel(armed, true)), MILLION),
        ("timer-cancel", Box::new(|armed| insert_or_cancel(armed, false)), MILLION),
        ("timer-fire", Box::new(timer_fire), MILLION),
        ("start-up", Box::new(|_| start_up()), 0),
        ("message-sleeping", Box::new(messages), 1),
        ("message-batched", Box::new(messages), 128),
    ];
    let arguments: Vec<String> = std::env::args().collect();
    let wanted = arguments.get(1).map(String::as_str).unwrap_or("--list");
    for (name, measure, size) in cases {
        if wanted == "--list" {
            println!("{}", name);
        } else if wanted == name {
            let size = arguments.get(2).and_then(|s| s.parse().ok()).unwrap_or(size);
            println!("{:.3}", measure(size));
            std::process::exit(0);
        }
    }
}
