//! What happens to the machines between two cycles, and what people do to the journal meanwhile.

use everkey::model::Adoption;
use everkey::model::KeyId;
use everkey::model::ListedKind;
use everkey::ports::Commit;
use everkey::ports::Mark;
use everkey::ports::Store as _;
use jiff::SignedDuration;

use crate::chooser::Point;
use crate::directory::app_ref;
use crate::schedule::Run;

impl Run {
    /// What happens to the machines between two cycles.
    pub async fn between(&mut self) {
        let way = {
            let mut outside = self.setting.world.lock();
            let way = outside.chooser.fault(Point::Between, 8);
            if way > 0 {
                outside.tell(|| format!("between, way {way}"));
            }
            way
        };
        match way {
            0 => {}
            // Nobody is there for a while.
            1 => {
                let mut outside = self.setting.world.lock();
                let hours = [1, 26, 24 * 9, 24 * 400][outside.chooser.detail(Point::HowLong, 4) as usize];
                outside.absent(hours);
            }
            // A clock goes wrong, or right again.
            2 | 3 => {
                let mut outside = self.setting.world.lock();
                outside.figures.clock_jumps += 1;
                let seconds = [0, 300, -300, 1_200, -1_200, 86_400 * 3, -86_400 * 400, 86_400 * 400];
                let off = seconds[outside.chooser.detail(Point::HowLong, 8) as usize];
                outside.clocks_wrong();
                outside.offsets[0] = SignedDuration::from_secs(off);
            }
            // A new process in the place of the present one.
            4 => self.processes.iter_mut().zip(&mut self.resting).for_each(|(process, rest)| {
                process.kill();
                *rest = None;
            }),
            5 => self.adopt().await,
            // A copy of the journal comes back.
            6 => self.put_back(true),
            _ => self.put_back(false),
        }
    }

    /// A named person adopts what everkey did not make as far as its journal knows, or takes an adoption back.
    async fn adopt(&mut self) {
        let (found, end, back) = {
            let mut outside = self.setting.world.lock();
            let adopted = outside.adopted.iter().next().cloned();
            if let Some(adopted) = adopted {
                outside.tell(|| format!("the adoption of {adopted} is taken back"));
                (adopted, outside.now, true)
            } else {
                let unknown = outside.app.secrets.iter().find(|entry| !outside.statuses.contains_key(&entry.key_id.0));
                let Some((id, end)) = unknown.map(|entry| (entry.key_id.0.clone(), entry.end)) else { return };
                outside.tell(|| format!("{id} is adopted"));
                (id, end, false)
            }
        };
        let adoption = Adoption {
            key_id: KeyId(found.clone()),
            by: "r.khan@contoso.example".into(),
            os_user: "r.khan".into(),
            at: self.setting.world.lock().now,
            integration: self.name(),
            credential: ListedKind::Secret,
            end,
            thumbprint: None,
            hint: None,
            slot: None,
        };
        let store = self.setting.store.open();
        let Ok(fence) = store.acquire("everkey adopt", adoption.at).await else { return };
        let mut commit = Commit::new(adoption.at, "r.khan");
        let body = (!back).then(|| serde_json::to_string(&adoption).unwrap());
        commit.marks.push(Mark { name: Adoption::record(&app_ref().object_id, &adoption.key_id), body });
        store.commit(fence, commit).await.unwrap();
        store.release(fence).await.unwrap();
        self.setting.world.lock().adoption(found, back);
    }
}
