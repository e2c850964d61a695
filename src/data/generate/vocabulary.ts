/** What the generated shop sells: hobbies, each with the things one buys for it in the order in which one comes to need them. */
export const TASTES: readonly { readonly name: string; readonly kinds: readonly string[] }[] = [
  taste(
    'Trail Running',
    'Trail Shoes|Running Socks|Hydration Vest|Soft Flask|Running Headlamp|Trekking Poles|Rain Shell|GPS Watch|Energy Gels|Gaiters|Compression Sleeves|Race Pack',
  ),
  taste(
    'Espresso',
    'Espresso Machine|Coffee Grinder|Espresso Tamper|Milk Jug|Coffee Scale|Knock Box|Bottomless Portafilter|Distribution Tool|Precision Basket|Water Filter|Cleaning Tablets|Espresso Cups',
  ),
  taste(
    'Bouldering',
    'Climbing Shoes|Chalk Bag|Loose Chalk|Climbing Brush|Finger Tape|Crash Pad|Hangboard|Finger Trainer|Skin Balm|Approach Shoes|Training Rings|Climbing Trousers',
  ),
  taste(
    'Kitchen Garden',
    'Seed Tray|Potting Soil|Vegetable Seeds|Watering Can|Hand Trowel|Garden Gloves|Raised Bed|Compost Bin|Pruning Shears|Cold Frame|Tomato Cage|Garden Hose',
  ),
  taste(
    'Film Photography',
    'Film Camera|Colour Film|Camera Strap|Light Meter|Prime Lens|Lens Filter|Black-and-White Film|Developing Tank|Film Developer|Negative Sleeves|Film Scanner|Photo Paper',
  ),
  taste(
    'Bread Baking',
    'Mixing Bowl|Bread Flour|Dough Scraper|Proofing Basket|Kitchen Scale|Dutch Oven|Bread Lame|Sourdough Jar|Baking Stone|Oven Thermometer|Stand Mixer|Grain Mill',
  ),
  taste(
    'Mechanical Keyboards',
    'Keyboard Kit|Key Switches|Keycap Set|Switch Puller|Switch Lubricant|Stabilisers|Coiled Cable|Desk Mat|Wrist Rest|Switch Tester|Artisan Keycap|Carrying Case',
  ),
  taste(
    'Road Cycling',
    'Road Bike|Cycling Helmet|Bib Shorts|Clipless Pedals|Cycling Shoes|Bike Computer|Floor Pump|Saddle Bag|Road Tyres|Cycling Jersey|Power Meter|Indoor Trainer',
  ),
  taste(
    'Watercolour',
    'Watercolour Set|Round Brush|Watercolour Pad|Brush Roll|Masking Fluid|Mixing Palette|Cold-Pressed Paper|Watercolour Tubes|Mop Brush|Table Easel|Travel Box|Gouache Set',
  ),
  taste(
    'Camping',
    'Two-Person Tent|Sleeping Bag|Sleeping Mat|Gas Stove|Camping Cookset|Camping Lantern|Water Purifier|Folding Chair|Dry Bag|Camp Hammock|Cool Box|Tarp Shelter',
  ),
  taste(
    'Yoga',
    'Yoga Mat|Yoga Block|Yoga Strap|Yoga Leggings|Meditation Cushion|Mat Bag|Yoga Wheel|Bolster|Eye Pillow|Foam Roller|Grip Socks|Aerial Hammock',
  ),
  taste(
    'Vinyl',
    'Turntable|Phono Preamp|Record Brush|Bookshelf Speakers|Stylus|Record Sleeves|Record Crate|Slipmat|Stereo Amplifier|Speaker Stands|Record Washer|Headphone Amplifier',
  ),
  taste(
    'Aquarium',
    'Glass Tank|Aquarium Filter|Tank Heater|Aquarium Gravel|Water Test Kit|Aquatic Plants|LED Tank Light|Fish Food|CO2 Kit|Algae Scraper|Driftwood|Auto Feeder',
  ),
  taste(
    'Fly Fishing',
    'Fly Rod|Fly Reel|Fly Line|Tapered Leader|Dry Flies|Fly Box|Wading Boots|Chest Waders|Landing Net|Fly Vest|Fly-Tying Vise|Hackle Feathers',
  ),
  taste(
    'Sewing',
    'Sewing Machine|Fabric Scissors|Thread Set|Cotton Fabric|Pin Cushion|Rotary Cutter|Cutting Mat|Dress Pattern|Steam Iron|Overlocker|Dress Form|Quilting Ruler',
  ),
  taste(
    'Board Games',
    'Gateway Game|Card Sleeves|Party Game|Game Expansion|Dice Tray|Strategy Game|Game Insert|Co-op Game|Playmat|Miniatures Set|Miniature Paints|Game Table Topper',
  ),
];

export const BRANDS: readonly string[] =
  'Apex|Birch & Co|Calder|Dune|Ember|Fjord|Granite|Halcyon|Indigo|Juniper|Kestrel|Lumen|Meridian|Northway|Orchard|Pioneer|Quill|Ridge|Solstice|Tern|Umbra|Vale|Willow|Xylo|Yonder|Zephyr|Atlas|Bramble|Copper|Drift|Elm|Foundry|Glacier|Harbour|Iris|Kiln|Larch|Moss|Nimbus|Otter'.split(
    '|',
  );

export const AGE_GROUPS: readonly string[] = ['18-24', '25-34', '35-44', '45-54', '55+'];
export const COUNTRIES: readonly string[] = ['AT', 'BR', 'DE', 'FR', 'JP', 'SE', 'UK', 'US'];
export const LEVELS: readonly string[] = ['starter', 'regular', 'advanced'];
export const TAGS: readonly string[] = [
  'gift idea',
  'travel',
  'recycled',
  'limited',
  'handmade',
  'lightweight',
];

/** What a user can do with an item, from the faintest to the strongest. */
export const BEHAVIOURS = ['view', 'favourite', 'cart', 'purchase'] as const;
export type BehaviourName = (typeof BEHAVIOURS)[number];
/** Behaviours that put an item into the basket. */
export const BASKET: readonly BehaviourName[] = ['cart', 'purchase'];

function taste(name: string, kinds: string): { name: string; kinds: string[] } {
  return { name, kinds: kinds.split('|') };
}
